"""Metrics: one query for all pools, every closed window once, nothing taken for what it is not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.errors import CallError
from agent.oci_calls import Answer, Call
from agent.sources.model import PoolReadings, Wish
from agent.sources.oci_monitoring import OciMonitoring
from agent.sources.windows import WHOLE, History, aggregate
from shared.config.loader import load
from shared.config.models import Pool
from tests.agent.rig import NOON, Rig, config_yaml, pool_yaml
from tests.fakes import refusal

MINUTE = timedelta(minutes=1)
Streams = Callable[[dict[str, Any]], list[dict[str, Any]]]


class FakeMonitoring:
    """Answers SummarizeMetricsData from a function, and keeps every request's body."""

    def __init__(self, answer: Streams) -> None:
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []

    def call(self, call: Call) -> Answer:
        assert call.operation == "SummarizeMetricsData"
        body = dict(call.body or {})
        self.bodies.append(body)
        return Answer(self.answer(body), {})

    def of(self, metric: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if metric in body["query"]]


def pools(*names: str, **settings: Any) -> list[Pool]:
    return list(load(config_yaml(*(pool_yaml(name, **settings) for name in names))).pools)


def stream(
    pool: Pool | None, instance: str | None, *values: object, until: datetime = NOON, **dims: str
) -> dict[str, Any]:
    """A stream with one point a minute; the last value is the newest."""
    dimensions = dict(dims)
    if pool is not None:
        dimensions["instancePoolId"] = pool.instance_pool_id
    if instance is not None:
        dimensions["resourceId"] = instance
    points = [
        {"timestamp": (until - MINUTE * back).isoformat(), "value": value}
        for back, value in enumerate(reversed(values))
    ]
    return {"dimensions": dimensions, "aggregatedDatapoints": list(reversed(points))}


def read(
    source: OciMonitoring, found: list[Pool], now: datetime = NOON + MINUTE, size: int = 2
) -> dict[str, PoolReadings]:
    return dict(source.read([Wish(pool, size) for pool in found], now))


def test_one_query_serves_all_pools_and_values_stay_apart() -> None:
    web, api = pools("web", "api")
    monitoring = FakeMonitoring(
        lambda body: [
            stream(web, "i1", 10, 20),
            stream(web, "i2", 30, 40),
            stream(api, "i3", 90, 80),
            stream(None, "outside any pool", 5, 5),
        ]
    )
    readings = read(OciMonitoring(monitoring), [web, api])
    cpu = readings["web"].policies["cpu"]
    assert (cpu.value, cpu.at, cpu.samples) == (30.0, NOON, 2)
    assert cpu.instances == {"i1": 20, "i2": 40}
    assert cpu.history == ((NOON - MINUTE, 20.0, 2),)
    assert readings["api"].policies["cpu"].value == 80.0
    assert len(monitoring.of("CpuUtilization")) == 1
    query = monitoring.of("CpuUtilization")[0]
    assert query["query"] == "CpuUtilization[1m].groupBy(instancePoolId,resourceId).mean()"
    assert query["resolution"] == "1m"


def test_windows_younger_than_the_lag_are_not_yet_given() -> None:
    (web,) = pools("web", metric_lag="3m")
    monitoring = FakeMonitoring(lambda body: [stream(web, "i1", 10, 20, 30, 40, until=NOON)])
    reading = read(OciMonitoring(monitoring), [web], now=NOON + MINUTE)["web"].policies["cpu"]
    assert (reading.at, reading.value) == (NOON - 2 * MINUTE, 20.0)


@pytest.mark.fault(46)
def test_a_late_sample_corrects_the_window() -> None:
    (web,) = pools("web")
    early = [stream(web, "i1", 50)]
    late = [stream(web, "i1", 50, 60, until=NOON + MINUTE), stream(web, "i2", 100, until=NOON)]
    answers = iter([early, early, late, late])
    source = OciMonitoring(FakeMonitoring(lambda body: next(answers)))
    assert read(source, [web], NOON + MINUTE)["web"].policies["cpu"].value == 50.0
    corrected = read(source, [web], NOON + 2 * MINUTE)["web"].policies["cpu"]
    assert corrected.history[-1] == (NOON, 75.0, 2)


def test_after_an_outage_everything_missed_is_fetched() -> None:
    (web,) = pools("web")
    monitoring = FakeMonitoring(lambda body: [])
    source = OciMonitoring(monitoring)
    read(source, [web], NOON)
    monitoring.bodies.clear()
    read(source, [web], NOON + 20 * MINUTE)
    start = datetime.fromisoformat(monitoring.of("Cpu")[0]["startTime"])
    assert start <= NOON + 20 * MINUTE - web.stale_after


def test_a_first_read_fetches_the_history_that_policies_look_at() -> None:
    demand = (
        "[{name: cpu, type: target_tracking, metric: CpuUtilization, target: 50,"
        " demand: {percentile: 90, window: 3h}}]"
    )
    (web,) = pools("web", policies=demand)
    monitoring = FakeMonitoring(lambda body: [])
    read(OciMonitoring(monitoring), [web], NOON)
    start = datetime.fromisoformat(monitoring.of("Cpu")[0]["startTime"])
    assert start <= NOON - timedelta(hours=3)


def test_a_long_history_is_cut_below_the_limit_of_points() -> None:
    demand = (
        "[{name: cpu, type: target_tracking, metric: CpuUtilization, target: 50,"
        " demand: {percentile: 90, window: 24h}}]"
    )
    found = pools(*(f"p{n}" for n in range(5)), policies=demand)
    monitoring = FakeMonitoring(lambda body: [])
    read(OciMonitoring(monitoring), found, NOON, size=100)
    spans = [
        datetime.fromisoformat(body["endTime"]) - datetime.fromisoformat(body["startTime"])
        for body in monitoring.of("Cpu")
    ]
    assert len(spans) > 5
    assert all((span / MINUTE) * 500 <= 100_000 for span in spans)


def test_too_many_streams_are_asked_for_in_chunks_of_pools() -> None:
    found = pools(*(f"p{n}" for n in range(30)))

    def answer(body: dict[str, Any]) -> list[dict[str, Any]]:
        named = [pool for pool in found if pool.instance_pool_id in body["query"]]
        if not named:
            raise refusal(400, "InvalidParameter", "Exceeded Maximum Metric Streams")
        return [stream(pool, "i", 50) for pool in named]

    monitoring = FakeMonitoring(answer)
    source = OciMonitoring(monitoring)
    readings = read(source, found, size=200)
    assert all(readings[pool.name].policies["cpu"].value == 50.0 for pool in found)
    chunks = [body for body in monitoring.of("Cpu") if "=~" in body["query"]]
    assert len(chunks) == 5
    monitoring.bodies.clear()
    read(source, found, NOON + 2 * MINUTE, size=200)
    assert len(monitoring.of("Cpu")) == 5, "the next read knows"


def test_a_failed_read_keeps_what_is_known_until_it_is_stale_and_then_says_why() -> None:
    (web,) = pools("web")
    broken = False

    def answer(body: dict[str, Any]) -> list[dict[str, Any]]:
        if broken:
            raise refusal(503, "ServiceUnavailable", "try later")
        return [stream(web, "i1", 50)]

    source = OciMonitoring(FakeMonitoring(answer))
    read(source, [web])
    broken = True
    assert read(source, [web], NOON + 3 * MINUTE)["web"].policies["cpu"].value == 50.0
    late = read(source, [web], NOON + web.stale_after + 2 * MINUTE)["web"]
    assert "try later" in (late.policies["cpu"].error or "")
    assert late.cpu is None


QUERY = (
    "[{{name: jobs, type: target_tracking, namespace: my_app, query: '{query}',"
    " per_instance: true, target: 10}}]"
)


def queried(query: str, streams: Callable[[Pool], list[dict[str, Any]]]) -> Any:
    (web,) = pools("web", policies=QUERY.format(query=query))
    monitoring = FakeMonitoring(lambda body: streams(web) if "Queue" in body["query"] else [])
    reading = read(OciMonitoring(monitoring), [web])["web"].policies["jobs"]
    (sent,) = monitoring.of("Queue")
    assert (sent["query"], sent["namespace"]) == (query, "my_app")
    return reading


def test_a_query_is_sent_as_it_is_and_one_stream_is_the_value() -> None:
    reading = queried("QueueDepth[1m].grouping().max()", lambda _: [stream(None, None, 40, 70)])
    assert (reading.value, reading.samples, reading.instances) == (70.0, None, None)
    assert reading.history == ((NOON - MINUTE, 40.0, None),)


def test_a_query_grouped_by_pool_gives_each_pool_its_own() -> None:
    reading = queried(
        "QueueDepth[1m].groupBy(instancePoolId).max()",
        lambda web: [stream(web, None, 33), stream(None, None, 99)],
    )
    assert reading.value == 33.0


def test_a_pool_without_its_stream_does_not_get_somebody_elses() -> None:
    reading = queried(
        "QueueDepth[1m].groupBy(instancePoolId).max()", lambda _: [stream(None, None, 99)]
    )
    assert reading.at is None


def test_several_streams_are_ambiguous_and_the_dimensions_are_named() -> None:
    reading = queried(
        "QueueDepth[1m].max()",
        lambda _: [stream(None, None, 1, queue="a"), stream(None, None, 2, queue="b")],
    )
    assert (reading.value, reading.at) == (None, None)
    assert "ambiguous" in (reading.error or "")
    assert "queue" in (reading.error or "")


AGGREGATES: dict[str, tuple[list[object], str, object, int | None]] = {
    "the mean": ([10.0, 20.0, 60.0], "mean", 30.0, 3),
    "the largest": ([10.0, 60.0, 20.0], "max", 60.0, 3),
    "the smallest": ([10.0, 60.0, 20.0], "min", 10.0, 3),
    "p90 of ten is the ninth": ([float(n) for n in range(1, 11)], "p90", 9.0, 10),
    "p50 of one": ([7.0], "p50", 7.0, 1),
    "up to 110 % reads as 100": ([109.0, 50.0], "max", 100.0, 2),
    "beyond is left out": ([111.0, 50.0], "mean", 50.0, 1),
    "text and NaN are left out": (["x", float("nan"), 50], "mean", 50.0, 1),
    "nothing usable is handed on as it is": (["x"], "mean", "x", None),
}


@pytest.mark.parametrize(
    ("values", "statistic", "result", "samples"), AGGREGATES.values(), ids=AGGREGATES.keys()
)
def test_aggregates(
    values: list[object], statistic: str, result: object, samples: int | None
) -> None:
    named = {f"i{n}": value for n, value in enumerate(values)}
    assert aggregate(named, (statistic, True)) == (result, samples)


def test_old_windows_keep_their_points_but_not_their_instances() -> None:
    history = History()
    for minutes in range(60):
        for instance in range(3):
            history.put(NOON + MINUTE * minutes, f"i{instance}", 10.0 * instance)
    now = NOON + MINUTE * 60
    history.forget(now, timedelta(minutes=50), [("mean", True)])
    reading = history.reading(("mean", True), now, timedelta(minutes=50))
    assert reading.value == 10.0
    assert len(reading.history) == 49
    assert {value for _, value, _ in reading.history} == {10.0}
    assert history.window(NOON + MINUTE * 15).values == {}
    assert history.window(NOON + MINUTE * 59).values != {}


def test_a_stream_that_is_not_per_instance_has_no_sample_count() -> None:
    assert aggregate({WHOLE: 5.0}, ("mean", False)) == (5.0, None)


def test_against_the_simulator_points_carry_the_end_of_their_window(rig: Rig) -> None:
    pool = rig.add_pool("web", size=2, demand=100)
    around = rig.surroundings()
    source = OciMonitoring(rig.client(rig.settings, around))
    (web,) = pools("web")
    rig.world.advance(600)
    now = rig.world.now()
    reading = source.read([Wish(web, 2)], now)["web"]
    assert reading.policies["cpu"].at == now - MINUTE
    assert reading.policies["cpu"].value == pytest.approx(50)
    assert set(reading.policies["cpu"].instances or ()) == {m.id for m in pool.members}
    assert reading.memory is not None
    assert source.probe(web, now) == 2


def test_against_the_simulator_lost_permission_is_an_error(rig: Rig) -> None:
    rig.add_pool("web")
    rig.break_with(forbidden={"SummarizeMetricsData": 404})
    around = rig.surroundings()
    source = OciMonitoring(rig.client(rig.settings, around))
    (web,) = pools("web")
    rig.world.advance(600)
    reading = source.read([Wish(web, 2)], rig.world.now().astimezone(UTC))["web"]
    assert "NotAuthorizedOrNotFound" in (reading.policies["cpu"].error or "")
    with pytest.raises(CallError, match="opc-request-id"):
        source.probe(web, rig.world.now())
