"""Oracle's Monitoring Query Language (MQL): parse, check, print. Pure: text in, values out."""

from shared.mql_ast import (
    Binary,
    Expression,
    Filter,
    Nested,
    Number,
    Predicate,
    Query,
    Selection,
    Statistic,
    print_query,
    seconds,
    walk,
)
from shared.mql_parser import STATISTICS, Parser
from shared.mql_tokens import Cursor, MqlError, tokenize

__all__ = [
    "STATISTICS",
    "Binary",
    "Expression",
    "Filter",
    "MqlError",
    "Nested",
    "Number",
    "Predicate",
    "Query",
    "Selection",
    "Statistic",
    "check_policy_query",
    "parse",
    "print_query",
    "seconds",
    "walk",
]


def parse(text: str) -> Query:
    """Turn text into a query.

    Raises:
        MqlError: what is wrong and where, as one sentence.
    """
    cursor = Cursor(tokenize(text))
    expression = Parser(cursor).expression(0)
    cursor.end()
    query = Query(expression)
    if not query.selections:
        raise MqlError("the query names no metric; write it like CpuUtilization[1m].mean()", 1)
    return query


def check_policy_query(text: str) -> str | None:
    """Say why a query cannot feed a scaling policy, or return None when it can.

    A policy needs readings: a predicate, a join or absent() answers only 0 and 1.
    """
    try:
        query = parse(text)
    except MqlError as error:
        return str(error)
    if query.has_predicate:
        return "a comparison answers only 0 and 1; leave it out, the policy compares for itself"
    nodes = tuple(walk(query.expression))
    joins = [node.operator for node in nodes if isinstance(node, Binary)]
    for operator in ("&&", "||"):
        if operator in joins:
            return f"{operator} joins queries into 0 and 1; use one policy for each query"
    used = [node.statistic.name for node in nodes if isinstance(node, Selection | Nested)]
    if "absent" in used:
        return "absent() answers only 0 and 1; missing data is what on_missing_metrics is for"
    intervals = sorted({selection.interval for selection in query.selections}, key=seconds)
    if len({seconds(interval) for interval in intervals}) > 1:
        return f"the query mixes the intervals {', '.join(intervals)}; use one"
    return None
