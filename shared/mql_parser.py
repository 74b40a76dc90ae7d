"""The grammar of the Monitoring Query Language as a recursive-descent parser.

After Oracle's "Monitoring Query Language (MQL) Reference"::

    query      = or
    or         = and { "||" and }
    and        = compare { "&&" compare }
    compare    = sum [ (">" | ">=" | "<" | "<=" | "==" | "!=") number
                     | ["not"] "in" "(" number "," number ")" ]
    sum        = product { ("+" | "-") product }
    product    = operand { ("*" | "/" | "%") operand }
    operand    = number | "(" query ")" { tail } | selection { tail }
    selection  = metric "[" interval "]" [ "{" filter { "," filter } "}" ] tail
    filter     = dimension ("=" | "!=" | "=~") "text"
    tail       = [ ".groupBy(" dimension { "," dimension } ")" | ".grouping()" ] ".statistic(...)"
"""

import re
from difflib import get_close_matches

from shared.mql_ast import (
    COMPARISON,
    PRECEDENCE,
    Binary,
    Expression,
    Filter,
    Nested,
    Number,
    Predicate,
    Selection,
    Statistic,
)
from shared.mql_tokens import Cursor

STATISTICS = (
    *("mean", "sum", "count", "min", "max", "first", "last", "rate", "increment"),
    *("percentile", "absent"),
)
_COMPARISONS = (">", ">=", "<", "<=", "==", "!=")
_LONGEST = {"m": 60, "h": 24, "d": 1}


class Parser:
    """Builds the syntax tree of the tokens under a cursor."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def expression(self, level: int) -> Expression:
        """Parse operators that bind tighter than `level` (precedence climbing)."""
        left = self._operand()
        while True:
            token = self._cursor.next
            if token.kind == "operator" and PRECEDENCE.get(token.text, 0) > level:
                self._cursor.grow(self._cursor.take())
                left = Binary(token.text, left, self.expression(PRECEDENCE[token.text]))
            elif level < COMPARISON and (token.text in _COMPARISONS or token.text in ("in", "not")):
                left = self._predicate(left)
            else:
                return left

    def _predicate(self, operand: Expression) -> Predicate:
        operator = self._cursor.take()
        if operator.text in _COMPARISONS:
            return Predicate(
                operand, operator.text, (self._cursor.number("a number to compare with"),)
            )
        if operator.text == "not":
            self._cursor.expect("in", "not")
        self._cursor.expect("(", "in")
        low = self._cursor.number("the lower bound")
        self._cursor.expect(",", "the lower bound")
        high = self._cursor.number("the upper bound")
        self._cursor.expect(")", "the upper bound")
        return Predicate(operand, "not in" if operator.text == "not" else "in", (low, high))

    def _operand(self) -> Expression:
        token = self._cursor.next
        node: Expression
        if token.kind == "number" or token.text == "-":
            return Number(self._cursor.number("a number"))
        if self._cursor.skip("("):
            self._cursor.grow(token)
            node = self.expression(0)
            self._cursor.expect(")", "the inner query")
        elif token.kind == "name":
            node = self._selection()
        else:
            self._cursor.fail("expected a metric name, a number or '('")
        while self._cursor.next.text == ".":
            self._cursor.grow(self._cursor.next)
            group_by, statistic = self._tail()
            node = Nested(node, statistic, group_by)
        return node

    def _selection(self) -> Selection:
        metric = self._cursor.take().text
        self._cursor.expect("[", f"the metric {metric}; write its interval like {metric}[1m]")
        interval = self._interval()
        self._cursor.expect("]", "the interval")
        filters = self._filters() if self._cursor.skip("{") else ()
        if self._cursor.next.text != ".":
            self._cursor.fail("expected a statistic such as .mean()")
        group_by, statistic = self._tail()
        return Selection(metric, interval, statistic, filters, group_by)

    def _interval(self) -> str:
        start = self._cursor.next
        text = ""
        while (
            self._cursor.next.kind in ("number", "name", "operator")
            and self._cursor.next.text != "]"
        ):
            text += self._cursor.take().text
        match = re.fullmatch(r"([1-9]\d?)([mhd])", text)
        if match is None or int(match[1]) > _LONGEST[match[2]]:
            self._cursor.fail(f"the interval {text!r} is not one of 1m-60m, 1h-24h, 1d", start)
        return text

    def _filters(self) -> tuple[Filter, ...]:
        filters: list[Filter] = []
        while True:
            dimension = self._cursor.name("a dimension name")
            operator = self._cursor.take()
            if operator.text not in ("=", "!=", "=~"):
                self._cursor.fail(f"expected =, != or =~ after {dimension}", operator)
            if self._cursor.next.kind != "text":
                self._cursor.fail(f'expected a value in double quotes for {dimension}, as in "web"')
            value = re.sub(r"\\(.)", r"\1", self._cursor.take().text[1:-1], flags=re.DOTALL)
            filters.append(Filter(dimension, operator.text, value))
            if not self._cursor.skip(","):
                self._cursor.expect("}", "the dimension filter")
                return tuple(filters)

    def _tail(self) -> tuple[tuple[str, ...] | None, Statistic]:
        self._cursor.expect(".", "the query")
        group_by: tuple[str, ...] | None = None
        if self._cursor.skip("grouping"):
            self._cursor.expect("(", "grouping")
            self._cursor.expect(")", "grouping(")
            group_by = ()
        elif self._cursor.skip("groupBy"):
            self._cursor.expect("(", "groupBy")
            names = [self._cursor.name("a dimension name")]
            while self._cursor.skip(","):
                names.append(self._cursor.name("a dimension name"))
            self._cursor.expect(")", "the dimension names")
            group_by = tuple(names)
        if group_by is not None:
            self._cursor.expect(".", "the grouping; a statistic such as .mean() follows it")
        return group_by, self._statistic()

    def _statistic(self) -> Statistic:
        token = self._cursor.next
        name = self._cursor.name("a statistic such as mean()")
        name = "mean" if name == "avg" else name
        if name not in STATISTICS:
            near = get_close_matches(name, (*STATISTICS, "avg", "groupBy", "grouping"), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; use {', '.join(STATISTICS)}"
            self._cursor.fail(f"{name!r} is not a statistic{hint}", token)
        self._cursor.expect("(", name)
        argument: float | str | None = None
        inside = self._cursor.next
        if name == "percentile":
            argument = self._cursor.number("a fraction such as 0.9")
            if not 0 < argument < 1:
                self._cursor.fail(
                    f"percentile({inside.text}) needs a fraction between 0 and 1", inside
                )
        elif name == "absent" and inside.kind == "number":
            argument = self._cursor.take().text
            if self._cursor.next.kind == "name":
                argument += self._cursor.take().text
            if re.fullmatch(r"[1-9]\d*[mhd]?", argument) is None:
                self._cursor.fail(f"absent({argument}) needs a period such as 20m or 2h", inside)
        self._cursor.expect(")", f"{name}(")
        return Statistic(name, argument)
