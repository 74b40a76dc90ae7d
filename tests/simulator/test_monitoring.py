"""Metrics as the SDK reads them over HTTP."""

import math
from datetime import datetime, timedelta
from typing import Any

import oci
import pytest
from oci.exceptions import ServiceError

from simulator.scenario import StreamSpec
from tests.oci_world import COMPARTMENT, NOON, OciWorld, constant

MINUTE = timedelta(minutes=1)


def stamps(series: Any) -> list[datetime]:
    return [point.timestamp for point in series.aggregated_datapoints]


def values(series: Any) -> list[float]:
    return [point.value for point in series.aggregated_datapoints]


def by_pool(found: list[Any]) -> dict[str | None, list[float]]:
    return {series.dimensions.get("instancePoolId"): values(series) for series in found}


def refused(tenancy: OciWorld, query: str, **options: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        tenancy.summarize(query, **options)
    assert (caught.value.status, caught.value.code) == (400, "InvalidParameter")
    return str(caught.value.message)


def test_one_query_answers_every_pool_of_a_compartment(tenancy: OciWorld) -> None:
    web = tenancy.add_pool("web", size=4, capacity=100, demand=constant(200))
    api = tenancy.add_pool("api", size=1, capacity=50, demand=constant(40))
    found = tenancy.summarize("CpuUtilization[1m].groupBy(instancePoolId).mean()")
    assert by_pool(found) == {web.id: [50.0] * 11, api.id: [80.0] * 11}


def test_a_stamp_is_the_end_of_its_window(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1, demand=constant(50), age_seconds=0)
    tenancy.world.advance(120)
    (series,) = tenancy.summarize("CpuUtilization[1m].mean()")
    assert stamps(series) == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_the_start_is_inclusive_and_the_end_exclusive(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1)
    (series,) = tenancy.summarize(
        "CpuUtilization[1m].mean()", start_time=NOON - 5 * MINUTE, end_time=NOON - 2 * MINUTE
    )
    assert stamps(series) == [NOON - n * MINUTE for n in (5, 4, 3)]


def test_a_longer_interval_covers_what_came_before_its_stamp(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1, samples_per_minute=6)
    (series,) = tenancy.summarize("CpuUtilization[5m].count()")
    assert stamps(series) == [NOON - 10 * MINUTE, NOON - 5 * MINUTE, NOON]
    assert values(series) == [30.0, 30.0, 30.0]


def test_a_finer_resolution_slides_the_window(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1)
    (series,) = tenancy.summarize("CpuUtilization[5m].count()", resolution="1m", back=2 * MINUTE)
    assert stamps(series) == [NOON - 2 * MINUTE, NOON - MINUTE, NOON]
    assert values(series) == [5.0] * 3


def test_the_past_keeps_the_count_of_then(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2, capacity=100, demand=constant(120), launch_seconds=60)
    tenancy.resize(pool, 3)
    tenancy.world.advance(180)
    (series,) = tenancy.summarize(
        "CpuUtilization[1m].groupBy(instancePoolId).mean()", back=4 * MINUTE
    )
    assert values(series) == [60.0, 60.0, 60.0, 40.0, 40.0]
    assert stamps(series)[0] == NOON - MINUTE


def test_a_new_demand_leaves_the_past_alone(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1, capacity=100, demand=constant(20))
    tenancy.world.set_demand("web", constant(90))
    tenancy.world.advance(60)
    (series,) = tenancy.summarize("CpuUtilization[1m].mean()", back=2 * MINUTE)
    assert values(series) == [20.0, 20.0, 90.0]


def test_cpu_is_cut_at_100_and_memory_follows_it(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1, capacity=10, demand=constant(999), memory_base=20, memory_slope=0.5)
    (cpu,) = tenancy.summarize("CpuUtilization[1m].max()")
    (memory,) = tenancy.summarize("MemoryUtilization[1m].max()")
    assert set(values(cpu)) == {100.0}
    assert set(values(memory)) == {70.0}


def test_points_arrive_late(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1)
    tenancy.break_with(ingestion_lag_seconds=90)
    (series,) = tenancy.summarize("CpuUtilization[1m].mean()")
    assert stamps(series)[-1] == NOON - 2 * MINUTE
    tenancy.world.advance(30)
    (series,) = tenancy.summarize("CpuUtilization[1m].mean()")
    assert stamps(series)[-1] == NOON - MINUTE


def test_a_fresh_window_may_be_incomplete(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=40)
    tenancy.break_with(straggler_share=0.5, straggler_lag_seconds=120)
    (series,) = tenancy.summarize("CpuUtilization[1m].groupBy(instancePoolId).count()")
    counts = values(series)
    assert counts[:-2] == [40.0] * 9
    assert all(0 < count < 40 for count in counts[-2:])


def test_a_silent_instance_is_absent_not_zero(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=3)
    tenancy.break_with(silent=[pool.members[0].id])
    found = tenancy.summarize("CpuUtilization[1m].groupBy(instancePoolId, resourceId).mean()")
    assert {s.dimensions["resourceId"] for s in found} == {m.id for m in pool.members[1:]}
    tenancy.break_with(silent=["web"])
    assert tenancy.summarize("CpuUtilization[1m].mean()") == []


def test_readings_can_be_nan(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=1)
    tenancy.break_with(nan=["web"])
    (series,) = tenancy.summarize("CpuUtilization[1m].mean()")
    assert all(math.isnan(value) for value in values(series))


@pytest.mark.parametrize(
    ("shown", "expected"), [("missing", {}), ("empty", {"instancePoolId": ""})]
)
def test_an_instance_outside_any_pool_is_a_group_of_its_own(
    tenancy: OciWorld, shown: str, expected: dict[str, str]
) -> None:
    pool = tenancy.add_pool(size=1)
    tenancy.world.add_stream(
        StreamSpec(
            namespace="oci_computeagent",
            name="CpuUtilization",
            dimensions={"resourceId": "ocid1.instance.oc1..alone"},
            curve=constant(7),
        )
    )
    tenancy.world.advance(60)
    tenancy.break_with(poolless_dimension=shown)
    found = tenancy.summarize("CpuUtilization[1m].groupBy(instancePoolId).mean()")
    assert [s.dimensions for s in found] == [expected, {"instancePoolId": pool.id}]


QUERIES: dict[str, list[float]] = {
    "QueueDepth[1m].max()": [1, 2],
    "QueueDepth[1m].grouping().sum()": [3],
    "QueueDepth[1m].grouping().mean()": [1.5],
    "QueueDepth[1m].grouping().count()": [2],
    "QueueDepth[1m].grouping().min()": [1],
    "QueueDepth[1m].grouping().percentile(0.5)": [1],
    "QueueDepth[1m].grouping().percentile(0.9)": [2],
    "QueueDepth[2m].grouping().sum()": [6],
    "QueueDepth[1m].groupBy(site).sum()": [3],
    'QueueDepth[1m]{queue = "a"}.first()': [1],
    'QueueDepth[1m]{queue != "a"}.last()': [2],
    'QueueDepth[1m]{queue =~ "a|z*"}.max()': [1],
    'QueueDepth[1m]{queue =~ "*"}.max()': [1, 2],
    'QueueDepth[1m]{queue = "a", site = "x"}.max()': [1],
    'QueueDepth[1m]{queue = "nowhere"}.max()': [],
    "Nothing[1m].max()": [],
    "QueueDepth[1m].increment()": [0, 0],
    "QueueDepth[1m].rate()": [0, 0],
    "QueueDepth[1m].absent()": [0, 0],
    "QueueDepth[1m].max() > 1": [0, 1],
    "QueueDepth[1m].max() in (1, 2)": [1, 1],
    "QueueDepth[1m].max() not in (2, 3)": [0, 1],
    "(QueueDepth[1m].max() >= 2).grouping().sum()": [1],
    "QueueDepth[1m].max() * 10 - 5": [5, 15],
    "QueueDepth[1m].max() / QueueDepth[1m].grouping().sum()": [1 / 3, 2 / 3],
    "QueueDepth[1m].max() / 0": [],
    "QueueDepth[1m].max() > 0 && QueueDepth[1m].min() > 1": [0, 1],
    "QueueDepth[1m].max() > 1 || QueueDepth[1m].min() < 2": [1, 1],
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.items(), ids=QUERIES.keys())
def test_the_query_language(tenancy: OciWorld, query: str, expected: list[float]) -> None:
    for queue, depth in (("a", 1), ("b", 2)):
        tenancy.world.add_stream(
            StreamSpec(
                namespace="my_app",
                name="QueueDepth",
                dimensions={"queue": queue, "site": "x"},
                curve=constant(depth),
            )
        )
    tenancy.world.advance(120)
    found = tenancy.summarize(query, namespace="my_app", back=timedelta(0))
    assert sorted(values(series)[-1] for series in found) == pytest.approx(expected)


def test_namespace_group_and_compartment_keep_metrics_apart(tenancy: OciWorld) -> None:
    for group, compartment in ((None, "ocid1.compartment.oc1..a"), ("g", COMPARTMENT)):
        tenancy.world.add_stream(
            StreamSpec(
                namespace="my_app",
                name="Depth",
                resource_group=group,
                compartment_id=compartment,
                curve=constant(1),
            )
        )
    tenancy.world.advance(60)
    query = "Depth[1m].max()"
    ask = tenancy.summarize
    assert ask(query, namespace="my_app") == []
    assert ask(query) == []
    (grouped,) = ask(query, namespace="my_app", resource_group="g")
    assert grouped.resource_group == "g"
    (elsewhere,) = ask(query, namespace="my_app", compartment="ocid1.compartment.oc1..a")
    assert elsewhere.compartment_id == "ocid1.compartment.oc1..a"
    root = tenancy.config["tenancy"]
    assert len(ask(query, namespace="my_app", compartment=root, subtree=True)) == 1
    with pytest.raises(ServiceError, match="tenancy OCID"):
        ask(query, namespace="my_app", subtree=True)


def test_a_range_has_a_limit_by_interval(tenancy: OciWorld) -> None:
    tenancy.add_pool(age_seconds=0)
    for query, days in (
        ("CpuUtilization[1m].mean()", 7),
        ("CpuUtilization[5m].mean()", 30),
        ("CpuUtilization[1h].mean()", 90),
    ):
        assert tenancy.summarize(query, back=timedelta(days=days)) == []
        message = refused(tenancy, query, back=timedelta(days=days, hours=1))
        assert f"{days} days" in message


def test_an_answer_has_a_limit_of_streams(tenancy: OciWorld) -> None:
    for number in range(5):
        tenancy.add_pool(f"pool-{number}", size=401, capacity=1)
    message = refused(tenancy, "CpuUtilization[1m].mean()", back=timedelta(0))
    assert message.startswith("Exceeded Maximum Metric Streams")
    found = tenancy.summarize(
        "CpuUtilization[1m].groupBy(instancePoolId).mean()", back=timedelta(0)
    )
    assert len(found) == 5


def test_an_answer_has_a_limit_of_points(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=100, age_seconds=86400)
    message = refused(tenancy, "CpuUtilization[1m].mean()", back=timedelta(hours=17))
    assert message.startswith("Exceeded Maximum Metric Data Points")


@pytest.mark.parametrize(
    ("query", "options", "complaint"),
    [
        ("CpuUtilization[1m].men()", {}, "did you mean 'mean'"),
        ("CpuUtilization[7d].mean()", {}, "interval"),
        ("CpuUtilization[1m].mean()", {"resolution": "5m"}, "resolution"),
        ("CpuUtilization[1m].mean()", {"resolution": "soon"}, "resolution"),
        ("CpuUtilization[1m].mean()", {"end_time": NOON - timedelta(days=1)}, "before endTime"),
    ],
)
def test_a_bad_request_says_why(
    tenancy: OciWorld, query: str, options: dict[str, Any], complaint: str
) -> None:
    tenancy.add_pool()
    assert complaint in refused(tenancy, query, **options)


def test_a_tenancy_gets_ten_queries_a_second(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    at = [datetime.now(NOON.tzinfo)]
    tenancy.world.wall = lambda: at[0]
    for _ in range(10):
        tenancy.summarize("CpuUtilization[1m].mean()", back=MINUTE)
    with pytest.raises(ServiceError) as caught:
        tenancy.summarize("CpuUtilization[1m].mean()", back=MINUTE)
    assert (caught.value.status, caught.value.code) == (429, "TooManyRequests")
    at[0] += timedelta(seconds=1)
    assert tenancy.summarize("CpuUtilization[1m].mean()", back=MINUTE)


def post(tenancy: OciWorld, namespace: str, value: float, at: datetime, **options: Any) -> Any:
    models = oci.monitoring.models
    metric = models.MetricDataDetails(
        namespace=namespace,
        compartment_id=COMPARTMENT,
        name="QueueDepth",
        dimensions=options.get("dimensions", {"queue": "orders"}),
        datapoints=[models.Datapoint(timestamp=at, value=value)],
    )
    return tenancy.monitoring.post_metric_data(
        models.PostMetricDataDetails(metric_data=[metric])
    ).data


def test_posted_metrics_can_be_read_back(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    assert post(tenancy, "my_app", 250, NOON).failed_metrics_count == 0
    assert post(tenancy, "my_app", 260, NOON + MINUTE).failed_metrics_count == 0
    tenancy.world.advance(120)
    (series,) = tenancy.summarize('QueueDepth[1m]{queue = "orders"}.max()', namespace="my_app")
    assert list(zip(stamps(series), values(series), strict=True)) == [
        (NOON + MINUTE, 250.0),
        (NOON + 2 * MINUTE, 260.0),
    ]


@pytest.mark.parametrize(
    ("namespace", "late", "options", "complaint"),
    [
        ("oci_mine", timedelta(0), {}, "reserved"),
        ("my_app", timedelta(hours=2, seconds=1), {}, "two hours"),
        ("my_app", timedelta(minutes=-11), {}, "ten minutes"),
        ("my_app", timedelta(0), {"dimensions": {}}, "1 to 20 dimensions"),
    ],
)
def test_a_post_reports_what_it_did_not_keep(
    tenancy: OciWorld, namespace: str, late: timedelta, options: dict[str, Any], complaint: str
) -> None:
    tenancy.add_pool()
    answer = post(tenancy, namespace, 1, NOON - late, **options)
    assert answer.failed_metrics_count == 1
    assert complaint in answer.failed_metrics[0].message
