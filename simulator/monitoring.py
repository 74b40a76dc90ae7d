"""Monitoring: SummarizeMetricsData (API 20180401) with its limits.

Fields: SDK 2.189 monitoring/models/summarize_metrics_data_details.py, metric_data.py. Limits:
Oracle, "Monitoring Overview" and the API page of SummarizeMetricsData.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.mql import MqlError, Query, Selection, parse, seconds
from simulator.calls import Call
from simulator.catalogue import Arrivals
from simulator.errors import invalid, missing, not_found
from simulator.evaluation import Evaluator, Series
from simulator.replies import Reply, timestamp
from simulator.selection import Grid
from simulator.streams import Stream

MAX_STREAMS = 2_000
MAX_POINTS = 100_000
DEFAULT_RANGE = timedelta(hours=3)
RANGES = (
    (timedelta(minutes=5), timedelta(days=7)),
    (timedelta(hours=1), timedelta(days=30)),
)
"""How far back an interval shorter than the first value may reach; 90 days from 1h on."""
RETENTION = timedelta(days=90)


def summarize_metrics_data(call: Call) -> Reply:
    """SummarizeMetricsData: aggregated points of every stream that a query selects."""
    call.spend("metrics", call.world.faults.metrics_per_second)
    compartments = _compartments(call)
    details = call.json()
    namespace = _text(details, "namespace")
    group = None if details.get("resourceGroup") is None else str(details["resourceGroup"])
    query = _query(_text(details, "query"))
    grid = _grid(call.now, details, query)

    def streams_of(selection: Selection) -> Iterator[Stream]:
        length = timedelta(seconds=seconds(selection.interval))
        since = grid.start - 2 * length
        for stream in call.world.catalogue.find(namespace, selection.metric, group, since):
            if stream.compartment_id in compartments and not call.elsewhere(stream.region):
                yield stream

    faults = call.world.faults
    evaluator = Evaluator(
        grid,
        streams_of,
        Arrivals(call.now, faults, call.world.seed).read,
        empty_dimensions=faults.poolless_dimension == "empty",
    )
    answer = evaluator.evaluate(query.expression)
    _check_limits(answer)
    resolution = _duration(grid.resolution)
    return Reply([_metric(series, query, namespace, resolution) for series in answer])


def _compartments(call: Call) -> frozenset[str]:
    """Return the compartments to search; a subtree works for the tenancy's OCID only."""
    compartment = call.compartment()
    if call.query.get("compartmentIdInSubtree", "false").lower() != "true":
        return frozenset((compartment,))
    if compartment not in call.world.keys.tenancies:
        raise invalid("compartmentIdInSubtree is only supported for the tenancy OCID")
    if compartment != call.principal.tenancy:
        raise not_found()
    return frozenset(call.world.compartments)


def _text(details: dict[str, object], name: str) -> str:
    value = details.get(name)
    if not isinstance(value, str) or not value:
        raise missing(name)
    return value


def _query(text: str) -> Query:
    try:
        return parse(text)
    except MqlError as error:
        raise invalid(f"Invalid query: {error}") from None


def _grid(now: datetime, details: dict[str, object], query: Query) -> Grid:
    start = _instant(details, "startTime", now - DEFAULT_RANGE)
    end = _instant(details, "endTime", now)
    if start >= end:
        raise invalid("startTime must be before endTime")
    interval = timedelta(seconds=query.interval)
    resolution = _resolution(details, interval)
    back = next((most for below, most in RANGES if interval < below), RETENTION)
    if start < now - back - timedelta(minutes=1):
        raise invalid(
            f"The interval {_duration(interval)} reaches back {back.days} days at most; "
            f"startTime is {timestamp(start)}"
        )
    return Grid(start, end, resolution)


def _instant(details: dict[str, object], name: str, default: datetime) -> datetime:
    value = details.get(name)
    if value is None:
        return default
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise invalid(f"{name} is not an RFC 3339 timestamp: {value!r}") from None
    if at.tzinfo is None:
        raise invalid(f"{name} names no time zone: {value!r}")
    return at


def _resolution(details: dict[str, object], interval: timedelta) -> timedelta:
    value = details.get("resolution")
    if value is None:
        return interval
    if not re.fullmatch(r"[1-9]\d?[mhd]", str(value)):
        raise invalid(f"resolution is not valid: {value!r}")
    resolution = timedelta(seconds=seconds(str(value)))
    if resolution > interval:
        raise invalid("resolution must not be greater than the query's interval")
    return resolution


def _check_limits(answer: list[Series]) -> None:
    if len(answer) > MAX_STREAMS:
        raise invalid(f"Exceeded Maximum Metric Streams: {len(answer)} of {MAX_STREAMS}")
    points = sum(len(series.values) for series in answer)
    if points > MAX_POINTS:
        raise invalid(f"Exceeded Maximum Metric Data Points: {points} of {MAX_POINTS}")


def _metric(series: Series, query: Query, namespace: str, resolution: str) -> dict[str, object]:
    source = series.source
    return {
        "namespace": namespace,
        "resourceGroup": source.resource_group if source else None,
        "compartmentId": source.compartment_id if source else None,
        "name": source.name if source else query.selections[0].metric,
        "dimensions": series.dimensions,
        "metadata": dict(source.metadata) if source else {},
        "resolution": resolution,
        "aggregatedDatapoints": [
            {"timestamp": timestamp(at), "value": value} for at, value in series.values.items()
        ],
    }


def _duration(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    if minutes % 1440 == 0:
        return f"{minutes // 1440}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
