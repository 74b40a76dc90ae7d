"""The syntax tree of Oracle's Monitoring Query Language, and its text form.

Source of the language: Oracle, "Monitoring Query Language (MQL) Reference"
(Monitoring/Reference/mql.htm). `shared.mql` parses text into these values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}
PRECEDENCE = {"||": 1, "&&": 2, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
COMPARISON = 3  # binds tighter than && and ||, looser than arithmetic


@dataclass(frozen=True, slots=True)
class Filter:
    """One dimension condition: `=` exact, `!=` unequal, `=~` fuzzy with `|` and `*`."""

    dimension: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Statistic:
    """How the samples of a window become one value.

    Attributes:
        name: mean, sum, count, min, max, first, last, rate, increment, percentile or absent
            (`avg` reads as mean).
        argument: the fraction of `percentile(p)`, 0 < p < 1; the text of `absent(20m)`.
    """

    name: str
    argument: float | str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """`metric[interval]{filters}.groupBy(...).statistic()`.

    `group_by` is None without grouping, `()` for `.grouping()`: all streams to one.
    """

    metric: str
    interval: str
    statistic: Statistic
    filters: tuple[Filter, ...] = ()
    group_by: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Nested:
    """`(inner).grouping().sum()`: a statistic over the result of another query."""

    inner: "Expression"
    statistic: Statistic
    group_by: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A constant in arithmetic."""

    value: float


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic (`+ - * / %`) or a join of two queries (`&&`, `||`)."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Predicate:
    """A comparison that turns every value into 1 (true) or 0 (false).

    `in (a, b)` and `not in (a, b)` carry two bounds, the others one.
    """

    operand: "Expression"
    operator: str
    bounds: tuple[float, ...]


Expression = Selection | Nested | Number | Binary | Predicate


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query."""

    expression: Expression

    @property
    def selections(self) -> tuple[Selection, ...]:
        """Every metric that the query reads, from left to right."""
        return tuple(node for node in walk(self.expression) if isinstance(node, Selection))

    @property
    def interval(self) -> int:
        """The window of the query in seconds; the longest one when it mixes several."""
        return max(seconds(selection.interval) for selection in self.selections)

    @property
    def has_predicate(self) -> bool:
        """Whether the answer holds truth values (0 and 1) somewhere instead of readings."""
        return any(isinstance(node, Predicate) for node in walk(self.expression))

    @property
    def group_by(self) -> tuple[str, ...] | None:
        """The dimensions that tell the answer's streams apart.

        `()` after `.grouping()`, None when nothing groups. In arithmetic and joins the leftmost
        query names them.
        """
        node = self.expression
        while True:
            match node:
                case Selection(group_by=group_by):
                    return group_by
                case Nested(inner=inner, group_by=group_by):
                    if group_by is not None:
                        return group_by
                    node = inner
                case Binary(left=left, right=right):
                    node = right if isinstance(left, Number) else left
                case Predicate(operand=operand):
                    node = operand
                case Number():
                    return None


def walk(node: Expression) -> Iterator[Expression]:
    """Yield a node and everything below it, in the order of the text."""
    yield node
    match node:
        case Nested(inner=inner) | Predicate(operand=inner):
            yield from walk(inner)
        case Binary(left=left, right=right):
            yield from walk(left)
            yield from walk(right)
        case _:
            return


def seconds(interval: str) -> int:
    """Return the length of an interval such as `5m` or `1h`, in seconds."""
    return int(interval[:-1]) * UNIT_SECONDS[interval[-1]]


def print_query(query: Query) -> str:
    """Return the query as canonical text; parsing it again gives the same query."""
    return _print(query.expression, 0)


def _print(node: Expression, outer: int) -> str:
    match node:
        case Number(value=value):
            return _number(value)
        case Selection():
            filters = ", ".join(
                f"{f.dimension} {f.operator} {_quote(f.value)}" for f in node.filters
            )
            braces = f"{{{filters}}}" if filters else ""
            return f"{node.metric}[{node.interval}]{braces}{_tail(node)}"
        case Nested(inner=inner):
            return f"({_print(inner, 0)}){_tail(node)}"
        case Predicate(operand=operand, operator=operator, bounds=bounds):
            numbers = ", ".join(_number(bound) for bound in bounds)
            right = f"({numbers})" if operator.endswith("in") else numbers
            text = f"{_print(operand, COMPARISON + 1)} {operator} {right}"
            return f"({text})" if outer > COMPARISON else text
        case Binary(operator=operator, left=left, right=right):
            level = PRECEDENCE[operator]
            text = f"{_print(left, level)} {operator} {_print(right, level + 1)}"
            return f"({text})" if outer > level else text


def _braces(filters: tuple[Filter, ...]) -> str:
    inside = ", ".join(f"{f.dimension} {f.operator} {_quote(f.value)}" for f in filters)
    return f"{{{inside}}}" if inside else ""


def _tail(node: Selection | Nested) -> str:
    if node.group_by is None:
        grouping = ""
    else:
        grouping = f".groupBy({', '.join(node.group_by)})" if node.group_by else ".grouping()"
    argument = node.statistic.argument
    inside = _number(argument) if isinstance(argument, float) else argument or ""
    return f"{grouping}.{node.statistic.name}({inside})"


def _number(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
