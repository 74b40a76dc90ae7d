"""What every metric source promises, and what is Prometheus's own."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import pytest

from agent.errors import SettingsError
from agent.settings import read_settings
from agent.sources.model import MetricSource, Wish
from agent.sources.oci_monitoring import OciMonitoring
from agent.sources.prometheus import Prometheus
from agent.sources.several import Sources
from shared.config.loader import load
from shared.config.models import Pool
from shared.engine.model import Reading
from simulator.streams import Stream
from tests.agent.rig import COMPARTMENT, NOON, REGION, Rig, config_yaml, pool_yaml
from tests.fakes import FakeSource
from tests.prometheus_server import PrometheusFake, prometheus

MINUTE = timedelta(minutes=1)
PROMQL = "sum(rate(http_requests_total[2m]))"
MQL = "Requests[1m].max()"


@dataclass
class World:
    """A source, and how to give it a value for the window that ends at an instant."""

    source: MetricSource
    policy: str
    put: Callable[[datetime, float, str | None], None]
    asked: Callable[[], int]
    fail: Callable[[], None]

    def pool(self, **settings: str) -> Pool:
        keys = {"metric_lag": "1m", "stale_after": "5m", "policies": f"[{self.policy}]"} | settings
        return load(config_yaml(pool_yaml("web", **keys))).pools[0]

    def reading(self, now: datetime, **settings: str) -> Reading:
        pool = self.pool(**settings)
        return self.source.read([Wish(pool, 2)], now)["web"].policies["load"]


def oci_world(rig: Rig) -> World:
    rig.world.compartments.add(COMPARTMENT)

    def put(at: datetime, value: float, pool_id: str | None) -> None:
        dimensions = {"instancePoolId": pool_id} if pool_id else {"queue": "a"}
        stream = Stream("my_app", "Requests", COMPARTMENT, REGION, dimensions, lambda a, b: [])
        rig.world.catalogue.post(stream, [(at - MINUTE / 2, value)])

    source = OciMonitoring(rig.client(rig.settings, rig.surroundings()))
    return World(
        source,
        "{name: load, type: target_tracking, namespace: my_app, target: 10,"
        f" per_instance: true, query: '{MQL}'}}",
        put,
        lambda: sum(
            "Requests" in (entry.detail or "")
            for entry in rig.world.requests.entries
            if entry.operation == "SummarizeMetricsData"
        ),
        lambda: rig.break_with(forbidden={"SummarizeMetricsData": 404}),
    )


def prometheus_world(fake: PrometheusFake) -> World:
    def put(at: datetime, value: float, pool_id: str | None) -> None:
        labels = {"instance_pool_id": pool_id} if pool_id else {}
        fake.put(PROMQL, at, "NaN" if math.isnan(value) else value, **labels)

    def fail() -> None:
        fake.broken = 422

    return World(
        Prometheus(httpx.Client(trust_env=False), fake.url, None, lambda: 0.0),
        "{name: load, type: target_tracking, source: prometheus, target: 10,"
        f" per_instance: true, query: '{PROMQL}'}}",
        put,
        lambda: len(fake.asked),
        fail,
    )


@pytest.fixture
def server() -> Iterator[PrometheusFake]:
    with prometheus() as fake:
        yield fake


@pytest.fixture(params=["oci", "prometheus"])
def world(request: pytest.FixtureRequest, rig: Rig, server: PrometheusFake) -> World:
    return oci_world(rig) if request.param == "oci" else prometheus_world(server)


def at_noon(world: World, rig: Rig, minutes: float = 0) -> datetime:
    wanted = NOON + minutes * MINUTE
    rig.world.advance((wanted - rig.world.now()).total_seconds())
    return wanted


def test_the_newest_trusted_window_counts_and_younger_ones_wait(world: World, rig: Rig) -> None:
    for minutes, value in ((-3, 7.0), (-2, 8.0), (-1, 9.0), (0, 99.0)):
        world.put(NOON + minutes * MINUTE, value, None)
    reading = world.reading(at_noon(world, rig))
    assert (reading.value, reading.at) == (9.0, NOON - MINUTE)
    assert [at for at, _, _ in reading.history] == [NOON - 3 * MINUTE, NOON - 2 * MINUTE]


def test_fault_45_and_46_a_gap_is_an_absence_and_a_late_point_fills_it(
    world: World, rig: Rig
) -> None:
    world.put(NOON - 4 * MINUTE, 7.0, None)
    world.put(NOON - 2 * MINUTE, 8.0, None)
    reading = world.reading(at_noon(world, rig))
    assert (reading.value, reading.at) == (8.0, NOON - 2 * MINUTE)
    assert [at for at, _, _ in reading.history] == [NOON - 4 * MINUTE]
    world.put(NOON - 1 * MINUTE, 9.0, None)
    reading = world.reading(at_noon(world, rig, 1))
    assert (reading.value, reading.at) == (9.0, NOON - MINUTE)


def test_nothing_at_all_is_no_data(world: World, rig: Rig) -> None:
    assert world.reading(at_noon(world, rig)) == Reading()


def test_fault_47_nan_is_handed_on_to_be_refused(world: World, rig: Rig) -> None:
    world.put(NOON - MINUTE, math.nan, None)
    value = world.reading(at_noon(world, rig)).value
    assert isinstance(value, float)
    assert math.isnan(value)


def test_a_closed_window_is_asked_for_once(world: World, rig: Rig) -> None:
    world.put(NOON - MINUTE, 9.0, None)
    for seconds in (0, 20, 40):
        world.reading(at_noon(world, rig, seconds / 60))
    assert world.asked() == 1
    world.reading(at_noon(world, rig, 1))
    assert world.asked() == 2


def test_a_pool_reads_its_own_stream(world: World, rig: Rig) -> None:
    pool_id = world.pool().instance_pool_id
    world.put(NOON - MINUTE, 5.0, pool_id)
    world.put(NOON - MINUTE, 50.0, pool_id.replace("web", "other"))
    if "Requests" in world.policy:
        world.policy = world.policy.replace(MQL, "Requests[1m].groupBy(instancePoolId).max()")
    assert world.reading(at_noon(world, rig)).value == 5.0


def test_a_failure_is_a_reading_with_its_reason_once_the_old_one_is_stale(
    world: World, rig: Rig
) -> None:
    world.put(NOON - MINUTE, 9.0, None)
    world.reading(at_noon(world, rig))
    world.fail()
    assert world.reading(at_noon(world, rig, 2)).value == 9.0
    reading = world.reading(at_noon(world, rig, 9))
    assert reading.error is not None
    assert reading.value is None


def test_several_series_are_ambiguous_and_named(server: PrometheusFake, rig: Rig) -> None:
    world = prometheus_world(server)
    for job in ("a", "b"):
        server.put(PROMQL, NOON - MINUTE, 1, job=job)
    error = world.reading(at_noon(world, rig)).error
    assert error is not None
    assert "2 series that differ in job" in error


@pytest.mark.parametrize(
    ("status", "raw", "part"),
    [
        (503, None, "answers 503"),
        (None, b"<html>", "no result"),
        (None, b'{"status": "success", "data": {"resultType": "scalar"}}', "numbers over time"),
        (None, b" " * (9 * 1024 * 1024), "more than 8 MiB"),
        (400, None, "broken"),
    ],
)
def test_answers_that_are_none_are_errors(
    server: PrometheusFake, rig: Rig, status: int | None, raw: bytes | None, part: str
) -> None:
    world = prometheus_world(server)
    server.broken, server.raw = status, raw
    error = world.reading(at_noon(world, rig)).error
    assert error is not None
    assert part in error


def test_a_server_that_is_gone_is_left_alone_for_a_while(rig: Rig) -> None:
    world = prometheus_world(PrometheusFake(url="http://127.0.0.1:9"))
    errors = [world.reading(at_noon(world, rig, n)).error for n in range(7)]
    assert "does not answer" in str(errors[0])
    assert "keeps failing; again in 30 s" in str(errors[-1])


def test_the_token_travels_in_its_header_only(server: PrometheusFake, rig: Rig) -> None:
    source = Prometheus(httpx.Client(trust_env=False), server.url, "s3cret", lambda: 0.0)
    pool = prometheus_world(server).pool()
    source.read([Wish(pool, 2)], NOON)
    assert server.token == "Bearer s3cret"
    assert "s3cret" not in str(server.asked)


def test_without_an_address_the_reading_says_what_to_set() -> None:
    pool = prometheus_world(PrometheusFake()).pool()
    found = Sources(FakeSource(), None).read([Wish(pool, 2)], NOON)
    assert "POOLKEEPER_PROMETHEUS_URL" in str(found["web"].policies["load"].error)


def test_the_address_comes_from_the_environment_and_protects_the_token() -> None:
    env = {"POOLKEEPER_STATE_DIR": "/x", "POOLKEEPER_PROMETHEUS_URL": "http://prom.internal:9090"}
    assert read_settings(env).prometheus_url == "http://prom.internal:9090"
    with pytest.raises(SettingsError, match="unprotected"):
        read_settings({**env, "POOLKEEPER_PROMETHEUS_TOKEN": "x"})
    with pytest.raises(SettingsError, match="password"):
        read_settings({**env, "POOLKEEPER_PROMETHEUS_URL": "https://me:pw@prom"})


def test_an_agent_scales_by_prometheus_and_still_reports_cpu(
    rig: Rig, server: PrometheusFake
) -> None:
    rig.add_pool("web", size=2, demand=100)
    for minute in range(-30, 30):
        server.put(PROMQL, NOON + minute * MINUTE, 40)
    world = prometheus_world(server)
    agent = rig.agent(config_yaml(pool_yaml("web", policies=f"[{world.policy}]")))
    monitoring = agent.ticker._source
    agent.ticker._source = Sources(monitoring, world.source)
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    records = agent.outbox.batch(10_000, 10**8).records
    rows = [r for r in records if r["kind"] == "pool_analytics"]
    assert rows[-1]["avg_cpu_utilization"] > 0
    agent.close()
