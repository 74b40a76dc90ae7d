"""Monitoring: ListMetrics (API 20180401), the names and dimensions of what there is.

Fields: SDK 2.189 monitoring/models/list_metrics_details.py, metric.py. 10 requests a second and
tenancy, like SummarizeMetricsData but counted apart (Oracle, "Monitoring Overview").
"""

from collections.abc import Iterator
from datetime import timedelta

from simulator.calls import Call
from simulator.errors import invalid
from simulator.replies import Reply, page
from simulator.streams import COMPUTE, Stream

_RECENT = timedelta(hours=2)
_COMPUTE_METRICS = ("CpuUtilization", "MemoryUtilization")


def list_metrics(call: Call) -> Reply:
    """ListMetrics: every stream, or its groups when `groupBy` is given."""
    call.spend("metric lists", call.world.faults.metrics_per_second)
    compartment = call.compartment()
    details = call.json()
    group_by = details.get("groupBy")
    if group_by is not None and not isinstance(group_by, list):
        raise invalid("groupBy must be a list")
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for stream in _streams(call):
        if stream.compartment_id != compartment or not _fits(stream, details):
            continue
        metric = _metric(stream, group_by)
        found.setdefault(tuple(map(str, metric.values())), metric)
    order = "namespace" if details.get("sortBy") == "NAMESPACE" else "name"
    reverse = details.get("sortOrder", "ASC") == "DESC"
    items = sorted(found.values(), key=lambda metric: str(metric.get(order)), reverse=reverse)
    shown, headers = page(items, call.query)
    return Reply(shown, headers=headers)


def _streams(call: Call) -> Iterator[Stream]:
    catalogue = call.world.catalogue
    for name in _COMPUTE_METRICS:
        yield from catalogue.find(COMPUTE, name, None, call.now - _RECENT)
    for stream in catalogue.streams:
        if (stream.namespace, stream.name) not in {(COMPUTE, name) for name in _COMPUTE_METRICS}:
            yield stream


def _fits(stream: Stream, details: dict[str, object]) -> bool:
    filters = details.get("dimensionFilters") or {}
    if not isinstance(filters, dict):
        raise invalid("dimensionFilters must be an object")
    group = details.get("resourceGroup")
    return (
        details.get("name") in (None, stream.name)
        and details.get("namespace") in (None, stream.namespace)
        and (group is None or group == stream.resource_group)
        and all(stream.dimensions.get(key) == value for key, value in filters.items())
    )


def _metric(stream: Stream, group_by: list[object] | None) -> dict[str, object]:
    whole: dict[str, object] = {
        "name": stream.name,
        "namespace": stream.namespace,
        "resourceGroup": stream.resource_group,
        "compartmentId": stream.compartment_id,
        "dimensions": dict(stream.dimensions),
    }
    if group_by is None:
        return whole
    return {key: whole[key] for key in ("name", "namespace", "resourceGroup") if key in group_by}
