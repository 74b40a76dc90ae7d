"""Partitions by day or by month, named after their first day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, text

MONTHLY = frozenset({"pool_analytics_1h", "metrics_1h"})


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One partition of a table: the days from `first` to before `end`."""

    table: str
    first: date

    @property
    def end(self) -> date:
        """The day after the last."""
        if self.table in MONTHLY:
            return (self.first + timedelta(days=32)).replace(day=1)
        return self.first + timedelta(days=1)

    @property
    def name(self) -> str:
        """The partition's name."""
        return f"{self.table}_{self.first:%Y%m%d}"


def span_of(table: str, day: date) -> Span:
    """The partition that a day belongs to."""
    return Span(table, day.replace(day=1) if table in MONTHLY else day)


def ensure_spans(connection: Connection, table: str, days: Iterable[date]) -> list[str]:
    """Create the partitions that these days miss; return their names.

    One is built beside its parent and then attached, which lets readers and writers go on.
    """
    made = []
    for span in sorted({span_of(table, day) for day in days}):
        exists = text("SELECT to_regclass(:name)")
        if connection.execute(exists, {"name": span.name}).scalar() is None:
            connection.exec_driver_sql(
                f"CREATE TABLE {span.name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            )
            connection.exec_driver_sql(
                f"ALTER TABLE {table} ATTACH PARTITION {span.name} "
                f"FOR VALUES FROM ('{span.first}') TO ('{span.end}')"
            )
            made.append(span.name)
    return made
