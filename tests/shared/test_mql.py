"""The metric query language: what it means, what is wrong with it, and its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mql import (
    STATISTICS,
    Binary,
    Expression,
    Filter,
    MqlError,
    Nested,
    Number,
    Predicate,
    Query,
    Selection,
    Statistic,
    check_policy_query,
    parse,
    print_query,
)

CPU = Selection("CpuUtilization", "1m", Statistic("mean"))

MEANINGS: dict[str, Expression] = {
    "CpuUtilization[1m].mean()": CPU,
    "CpuUtilization[1m].avg()": CPU,
    " CpuUtilization [ 1m ] . mean ( ) ": CPU,
    "A[5m].percentile(.9)": Selection("A", "5m", Statistic("percentile", 0.9)),
    "A[1m].absent(20m)": Selection("A", "1m", Statistic("absent", "20m")),
    "A[1m].absent(20)": Selection("A", "1m", Statistic("absent", "20")),
    "app.Queue-Depth_2[1h].max()": Selection("app.Queue-Depth_2", "1h", Statistic("max")),
    'A[1m]{x = "a b", y=~"web-*|api", z != "\\"q\\""}.min()': Selection(
        "A",
        "1m",
        Statistic("min"),
        (Filter("x", "=", "a b"), Filter("y", "=~", "web-*|api"), Filter("z", "!=", '"q"')),
    ),
    "A[1m].groupBy(x, y).sum()": Selection("A", "1m", Statistic("sum"), (), ("x", "y")),
    "A[1m].grouping().sum()": Selection("A", "1m", Statistic("sum"), (), ()),
    "A[1m].groupBy(x).mean().grouping().max()": Nested(
        Selection("A", "1m", Statistic("mean"), (), ("x",)), Statistic("max"), ()
    ),
    "(CpuUtilization[1m].mean() > 80).grouping().sum()": Nested(
        Predicate(CPU, ">", (80.0,)), Statistic("sum"), ()
    ),
    "CpuUtilization[1m].mean() not in (60, 80)": Predicate(CPU, "not in", (60.0, 80.0)),
    "CpuUtilization[1m].mean() >= -1.5e1": Predicate(CPU, ">=", (-15.0,)),
    "1 + 2 * CpuUtilization[1m].mean()": Binary("+", Number(1.0), Binary("*", Number(2.0), CPU)),
    "CpuUtilization[1m].mean() - 1 - 2": Binary("-", Binary("-", CPU, Number(1.0)), Number(2.0)),
    "CpuUtilization[1m].mean() > 1 && CpuUtilization[1m].mean() < 2": Binary(
        "&&", Predicate(CPU, ">", (1.0,)), Predicate(CPU, "<", (2.0,))
    ),
}


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items(), ids=MEANINGS.keys())
def test_meaning(text: str, meaning: Expression) -> None:
    assert parse(text).expression == meaning


PROBLEMS: dict[str, tuple[int, str]] = {
    "": (1, "expected a metric name, a number or '(', found the end"),
    "Cpu": (4, "expected '[' after the metric Cpu; write its interval like Cpu[1m]"),
    "Cpu.mean()": (4, "write its interval like Cpu[1m]"),
    "Cpu[0m].mean()": (5, "the interval '0m' is not one of 1m-60m, 1h-24h, 1d"),
    "Cpu[61m].mean()": (5, "the interval '61m' is not one of"),
    "Cpu[25h].mean()": (5, "the interval '25h' is not one of"),
    "Cpu[2d].mean()": (5, "the interval '2d' is not one of"),
    "Cpu[30s].mean()": (5, "the interval '30s' is not one of"),
    "Cpu[].mean()": (5, "the interval '' is not one of"),
    "Cpu[1m": (7, "expected ']' after the interval"),
    "Cpu[1m]": (8, "expected a statistic such as .mean(), found the end"),
    "Cpu[1m].groupBy(a)": (19, "a statistic such as .mean() follows it"),
    "Cpu[1m].groupBy().mean()": (17, "expected a dimension name, found ')'"),
    "Cpu[1m].men()": (9, "'men' is not a statistic; did you mean 'mean'?"),
    "Cpu[1m].percentil(0.9)": (9, "did you mean 'percentile'?"),
    "Cpu[1m].groupby(x).mean()": (9, "did you mean 'groupBy'?"),
    "Cpu[1m].xyz()": (9, "'xyz' is not a statistic; use mean, sum, count"),
    "Cpu[1m].mean": (13, "expected '(' after mean, found the end"),
    "Cpu[1m].mean(5)": (14, "expected ')' after mean(, found '5'"),
    "Cpu[1m].percentile()": (20, "expected a fraction such as 0.9"),
    "Cpu[1m].percentile(0)": (20, "needs a fraction between 0 and 1"),
    "Cpu[1m].percentile(1)": (20, "needs a fraction between 0 and 1"),
    "Cpu[1m].percentile(90)": (20, "percentile(90) needs a fraction between 0 and 1"),
    "Cpu[1m].absent(20q)": (16, "absent(20q) needs a period such as 20m or 2h"),
    "Cpu[1m]{a=b}.mean()": (11, 'expected a value in double quotes for a, as in "web"'),
    "Cpu[1m]{a='b'}.mean()": (11, "text needs double quotes on both sides"),
    'Cpu[1m]{a="b}.mean()': (11, "text needs double quotes on both sides"),
    'Cpu[1m]{a > "b"}.mean()': (11, "expected =, != or =~ after a"),
    'Cpu[1m]{a="b" c="d"}.mean()': (15, "expected '}' after the dimension filter"),
    "Cpu[1m].mean() >": (17, "expected a number to compare with, found the end"),
    "Cpu[1m].mean() > 1e999": (18, "the number 1e999 is too large"),
    "Cpu[1m].mean() in (1)": (21, "expected ',' after the lower bound"),
    "Cpu[1m].mean() not (1, 2)": (20, "expected 'in' after not"),
    "Cpu[1m].mean() Cpu": (16, "expected the end of the query or an operator, found 'Cpu'"),
    "(Cpu[1m].mean()": (16, "expected ')' after the inner query, found the end"),
    "Cpu[1m].mean() ? 1": (16, "'?' has no meaning here"),
    "1 + 2": (1, "the query names no metric"),
    "(" * 10_000: (201, "the query is too deep"),
    "Cpu[1m].mean()" + " + 1" * 10_000: (816, "the query is too deep"),
}


@pytest.mark.parametrize(("text", "problem"), PROBLEMS.items(), ids=[t[:40] for t in PROBLEMS])
def test_one_clear_sentence_with_its_place(text: str, problem: tuple[int, str]) -> None:
    column, sentence = problem
    with pytest.raises(MqlError) as caught:
        parse(text)
    assert caught.value.column == column
    assert sentence in caught.value.message
    assert str(caught.value) == f"MQL column {column}: {caught.value.message}"


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("1m", 60), ("60m", 3600), ("1h", 3600), ("24h", 86400), ("1d", 86400)],
)
def test_intervals_at_both_edges(interval: str, seconds: int) -> None:
    assert parse(f"Cpu[{interval}].mean()").interval == seconds


GROUPS: dict[str, tuple[str, ...] | None] = {
    "A[1m].mean()": None,
    "A[1m].grouping().mean()": (),
    "A[1m].groupBy(x, y).mean()": ("x", "y"),
    "100 - A[1m].groupBy(x).mean()": ("x",),
    "A[1m].groupBy(x).mean() > 5": ("x",),
    "(A[1m].groupBy(x).mean() > 5).grouping().sum()": (),
    "(A[1m].groupBy(x).mean()).max()": ("x",),
}


@pytest.mark.parametrize(("text", "dimensions"), GROUPS.items(), ids=GROUPS.keys())
def test_what_tells_the_streams_apart(text: str, dimensions: tuple[str, ...] | None) -> None:
    assert parse(text).group_by == dimensions


POLICY_QUERIES: dict[str, str | None] = {
    'QueueDepth[1m]{queue = "orders"}.max()': None,
    "CpuUtilization[1m].groupBy(instancePoolId).percentile(0.9)": None,
    "A[1m].sum() / B[1m].sum() * 100": None,
    "A[60m].sum() / B[1h].sum()": None,
    "(A[1m].groupBy(x).mean()).grouping().max()": None,
    "A[1m].mean() > 80": "a comparison answers only 0 and 1",
    "(A[1m].mean() > 80).grouping().sum()": "a comparison answers only 0 and 1",
    "A[1m].mean() && B[1m].mean()": "&& joins queries",
    "A[1m].mean() || B[1m].mean()": "|| joins queries",
    "A[1m].absent()": "on_missing_metrics",
    "A[1m].mean() + B[5m].mean()": "mixes the intervals 1m, 5m",
    "A[1m].men()": "MQL column 7: 'men' is not a statistic; did you mean 'mean'?",
}


@pytest.mark.parametrize(("text", "why"), POLICY_QUERIES.items(), ids=POLICY_QUERIES.keys())
def test_what_can_feed_a_policy(text: str, why: str | None) -> None:
    answer = check_policy_query(text)
    assert (answer is None) == (why is None)
    assert why is None or why in str(answer)


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}(\.[a-z]{1,3})?", fullmatch=True).filter(
    lambda name: name not in ("in", "not")
)
intervals = st.one_of(
    st.integers(1, 60).map("{}m".format), st.integers(1, 24).map("{}h".format), st.just("1d")
)
statistics = st.one_of(
    st.sampled_from([s for s in STATISTICS if s != "percentile"]).map(Statistic),
    st.floats(0.0001, 0.9999).map(lambda p: Statistic("percentile", p)),
    st.just(Statistic("absent", "2h")),
)
groups = st.none() | st.lists(names, max_size=3).map(tuple)
filters = st.lists(
    st.builds(Filter, names, st.sampled_from(["=", "!=", "=~"]), st.text(max_size=10)), max_size=3
).map(tuple)
selections = st.builds(Selection, names, intervals, statistics, filters, groups)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operands = inner | numbers.map(Number)
    symbols = st.sampled_from(["+", "-", "*", "/", "%", "&&", "||"])
    compared = st.sampled_from([">", ">=", "<", "<=", "==", "!="])
    return st.one_of(
        st.builds(Nested, inner, statistics, groups),
        st.builds(Binary, symbols, operands, inner),
        st.builds(Binary, symbols, inner, operands),
        st.builds(Predicate, inner, compared, st.tuples(numbers)),
        st.builds(Predicate, inner, st.sampled_from(["in", "not in"]), st.tuples(numbers, numbers)),
    )


expressions: st.SearchStrategy[Expression] = st.recursive(selections, grow, max_leaves=12)


@given(expressions)
def test_printing_and_parsing_again_gives_the_same_query(expression: Expression) -> None:
    query = Query(expression)
    assert parse(print_query(query)) == query


@given(st.text(max_size=60) | st.text('Aa1m[]{}()."=~<>&|+-*/% ,', max_size=60))
def test_any_text_is_a_query_or_a_sentence(text: str) -> None:
    problem: MqlError | None = None
    try:
        query = parse(text)
    except MqlError as error:
        problem = error
    if problem is None:
        assert parse(print_query(query)) == query
    else:
        assert 1 <= problem.column <= len(text) + 1
        assert problem.message
