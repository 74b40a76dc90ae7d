"""The roll-ups' statements.

A minimum, maximum, mean and last value say what lay in a bucket, the counts how much of it was
known: unknown values (NaN) are counted among `samples` and nowhere else.
"""

from dataclasses import dataclass

_NEWEST = "ORDER BY r.timestamp DESC, r.id DESC"


@dataclass(frozen=True, slots=True)
class Rollup:
    """How one table of buckets is made.

    Attributes:
        table: the table of buckets.
        raw: the history that tells which buckets have changed.
        source: what the buckets are computed from: the history, or the finer buckets.
        width: a bucket's length as PostgreSQL writes it; `seconds` is the same.
        key: columns that name a series, as (column, expression over the raw rows).
        values: columns, as (column, expression over the source's rows, called r).
    """

    table: str
    raw: str
    source: str
    width: str
    seconds: int
    key: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, str], ...]

    @property
    def dirty(self) -> str:
        """The buckets that rows received in a window belong to."""
        names = ", ".join(f"{expression} AS {column}" for column, expression in self.key)
        return f"""
CREATE TEMP TABLE dirty ON COMMIT DROP AS
SELECT DISTINCT {names}, {self._bucket("timestamp")} AS bucket FROM {self.raw} r
WHERE received_at > :since AND received_at <= :until
  AND timestamp >= received_at - :late AND timestamp <= received_at + interval '1 day'
"""  # noqa: S608 # built of the constants below

    @property
    def recompute(self) -> str:
        """Compute every dirty bucket anew from all of its rows."""
        from_raw = self.source == self.raw
        moment = "r.timestamp" if from_raw else "r.bucket"
        keys = [column for column, _ in self.key]
        same = " AND ".join(
            f"{expression if from_raw else 'r.' + column} = d.{column}"
            for column, expression in self.key
        )
        received = "AND r.received_at >= :low - interval '1 day'" if from_raw else ""
        columns = [column for column, _ in self.values]
        return f"""
INSERT INTO {self.table} ({", ".join([*keys, "bucket", *columns])})
SELECT {", ".join(f"d.{k}" for k in keys)}, d.bucket, {", ".join(e for _, e in self.values)}
FROM {self.source} r JOIN dirty d ON {same} AND {self._bucket(moment)} = d.bucket
WHERE {moment} >= :low AND {moment} < :high {received}
GROUP BY {", ".join(f"d.{k}" for k in keys)}, d.bucket
ON CONFLICT ({", ".join([*keys, "bucket"])}) DO UPDATE SET
{", ".join(f"{column} = EXCLUDED.{column}" for column in columns)}
"""  # noqa: S608 # built of the constants below

    def _bucket(self, moment: str) -> str:
        return f"date_bin('{self.width}', {moment}, TIMESTAMP '2000-01-01')"


def _sizes(name: str, column: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"{name}_min", f"min(r.{column})"),
        (f"{name}_max", f"max(r.{column})"),
        (f"{name}_avg", f"avg(r.{column})"),
        (f"{name}_last", f"(array_agg(r.{column} {_NEWEST}))[1]"),
    )


def _known(name: str, column: str) -> tuple[tuple[str, str], ...]:
    known = f"FILTER (WHERE r.{column} <> 'NaN')"
    return (
        (f"{name}_count", f"count(*) {known}"),
        (f"{name}_min", f"min(r.{column}) {known}"),
        (f"{name}_max", f"max(r.{column}) {known}"),
        (f"{name}_avg", f"avg(r.{column}) {known}"),
        (f"{name}_last", f"(array_agg(r.{column} {_NEWEST}) {known})[1]"),
    )


def _peak(name: str, column: str) -> tuple[str, str]:
    return f"{name}_peak", f"max(r.{column}) FILTER (WHERE r.{column} <> 'NaN')"


def _coarser(name: str, weight: str, *, known: bool) -> tuple[tuple[str, str], ...]:
    """An hour from its twelfths; means are weighted by what they are means of."""
    last = f"{name}_last"
    count = ((f"{name}_count", f"sum(r.{name}_count)"),) if known else ()
    return (
        *count,
        (f"{name}_min", f"min(r.{name}_min)"),
        (f"{name}_max", f"max(r.{name}_max)"),
        (f"{name}_avg", f"sum(r.{name}_avg * r.{weight}) / NULLIF(sum(r.{weight}), 0)"),
        (
            last,
            f"(array_agg(r.{last} ORDER BY r.bucket DESC) FILTER (WHERE r.{last} IS NOT NULL))[1]",
        ),
    )


_POOL = (("pool_id", "r.pool_id"),)
_SERIES = (
    ("node_id", "r.node_id"),
    ("pool_id", "COALESCE(r.pool_id, 0)"),
    ("metric_type", "r.metric_type"),
)
ROLLUPS = (
    Rollup(
        "pool_analytics_5m",
        "pool_analytics",
        "pool_analytics",
        "5 minutes",
        300,
        _POOL,
        (
            ("samples", "count(*)"),
            *_sizes("current", "current_instances"),
            *_sizes("active", "active_instances"),
            *_known("cpu", "avg_cpu_utilization"),
            _peak("cpu", "max_cpu_utilization"),
            *_known("memory", "avg_memory_utilization"),
            _peak("memory", "max_memory_utilization"),
        ),
    ),
    Rollup(
        "metrics_5m",
        "metrics",
        "metrics",
        "5 minutes",
        300,
        _SERIES,
        (("unit", "max(r.unit)"), ("samples", "count(*)"), *_known("value", "value")),
    ),
    Rollup(
        "pool_analytics_1h",
        "pool_analytics",
        "pool_analytics_5m",
        "1 hour",
        3600,
        _POOL,
        (
            ("samples", "sum(r.samples)"),
            *_coarser("current", "samples", known=False),
            *_coarser("active", "samples", known=False),
            *_coarser("cpu", "cpu_count", known=True),
            ("cpu_peak", "max(r.cpu_peak)"),
            *_coarser("memory", "memory_count", known=True),
            ("memory_peak", "max(r.memory_peak)"),
        ),
    ),
    Rollup(
        "metrics_1h",
        "metrics",
        "metrics_5m",
        "1 hour",
        3600,
        _SERIES,
        (
            ("unit", "max(r.unit)"),
            ("samples", "sum(r.samples)"),
            *_coarser("value", "value_count", known=True),
        ),
    ),
)
BY_TABLE = {rollup.table: rollup for rollup in ROLLUPS}
