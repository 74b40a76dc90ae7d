"""Monitoring: PostMetricData, custom metrics (API 20180401, the telemetry-ingestion host).

Rules: SDK 2.189 monitoring/models/post_metric_data_details.py and Oracle, "Publishing Custom
Metrics": at most 50 streams a call, 1 to 20 dimensions, from two hours ago to ten minutes ahead,
no namespace that begins with oci_ or oracle_; HTTP 200 is not success, `failedMetrics` is.
"""

from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from pydantic.alias_generators import to_camel

from simulator.calls import Call
from simulator.errors import invalid, unreadable
from simulator.replies import Reply
from simulator.streams import Points, Stream

MAX_STREAMS = 50
MAX_PER_SECOND = 50
OLDEST, NEWEST = timedelta(hours=2), timedelta(minutes=10)
_MOST_REPEATS = 1000


class _Model(BaseModel):
    model_config = {"alias_generator": to_camel, "frozen": True}


class _Datapoint(_Model):
    timestamp: AwareDatetime
    value: float = Field(allow_inf_nan=False)
    count: int = Field(default=1, ge=1)


class _Metric(_Model):
    namespace: str
    name: str = Field(min_length=1, max_length=255)
    compartment_id: str
    dimensions: dict[str, str]
    datapoints: list[_Datapoint]
    resource_group: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class _Details(_Model):
    metric_data: list[_Metric]
    batch_atomicity: str = "NON_ATOMIC"


def post_metric_data(call: Call) -> Reply:
    """PostMetricData: keep what is acceptable and report the rest; 50 requests a second."""
    call.spend("ingestion", MAX_PER_SECOND)
    try:
        details = _Details.model_validate(call.json())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise unreadable(f"{place}: {first['msg']}") from None
    if len(details.metric_data) > MAX_STREAMS:
        raise invalid(f"At most {MAX_STREAMS} metric streams fit into one request")
    complaints = [(_complaint(call, metric), metric) for metric in details.metric_data]
    failed = [
        {"message": complaint, "metricData": metric.model_dump(mode="json", by_alias=True)}
        for complaint, metric in complaints
        if complaint
    ]
    if failed and details.batch_atomicity == "ATOMIC":
        raise invalid(str(failed[0]["message"]))
    for complaint, metric in complaints:
        if complaint is None:
            call.world.catalogue.post(_stream(call, metric), _points(metric))
    return Reply({"failedMetricsCount": len(failed), "failedMetrics": failed})


def _complaint(call: Call, metric: _Metric) -> str | None:
    if metric.namespace.startswith(("oci_", "oracle_")):
        return f"The namespace {metric.namespace} is reserved"
    if not 1 <= len(metric.dimensions) <= 20:
        return "A metric needs 1 to 20 dimensions"
    if any(len(key) > 256 or len(value) > 512 for key, value in metric.dimensions.items()):
        return "A dimension's key has at most 256 characters, its value at most 512"
    if metric.compartment_id not in call.world.compartments:
        return "Authorization failed or requested resource not found."
    if not all(_recent(point.timestamp, call.now) for point in metric.datapoints):
        return "Timestamps must be between two hours ago and ten minutes ahead"
    return None


def _recent(at: datetime, now: datetime) -> bool:
    return now - OLDEST <= at <= now + NEWEST


def _stream(call: Call, metric: _Metric) -> Stream:
    return Stream(
        metric.namespace,
        metric.name,
        metric.compartment_id,
        call.region or "eu-frankfurt-1",
        metric.dimensions,
        lambda _start, _end: [],
        metric.resource_group,
        metric.metadata,
        frozenset(metric.dimensions.values()),
    )


def _points(metric: _Metric) -> Points:
    return [
        (point.timestamp, point.value)
        for point in metric.datapoints
        for _ in range(min(point.count, _MOST_REPEATS))
    ]
