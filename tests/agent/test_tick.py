"""Ticks on threads: one slow or failing pool never delays the others."""

import random
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from agent.clock import SteppedClock
from agent.journal import Journal
from agent.pools import PoolSummary
from agent.service import Agent
from agent.settings import Settings
from agent.surroundings import Ports, Surroundings
from tests.agent.rig import COMPARTMENT, config_yaml, pool_yaml, until, wall_now
from tests.fakes import NOON, FakePool, FakePools, FakeSource, pool_id, refusal, timeout

ELSEWHERE = COMPARTMENT.replace("simulated", "slow")


class SlowPools(FakePools):
    """Lists of one compartment wait for the gate."""

    def __init__(self, **pools: FakePool) -> None:
        super().__init__(**pools)
        self.gate = threading.Event()
        self.waiting = threading.Event()

    def in_compartment(self, region: str, compartment_id: str) -> Mapping[str, PoolSummary]:
        if compartment_id == ELSEWHERE:
            self.waiting.set()
            assert self.gate.wait(20)
        return super().in_compartment(region, compartment_id)


def agent_on(pools: FakePools, home: Path, yaml: str, threads: int) -> tuple[Agent, SteppedClock]:
    clock = SteppedClock(NOON)
    path = home / "config.yaml"
    path.write_text(yaml)
    around = Surroundings(clock, wall_now, clock.elapsed, jitter=random.Random(1), threads=threads)
    agent = Agent(
        Settings(home / "state", config_file=path), around, Ports(pools, FakeSource(), None)
    )
    agent.start()
    return agent, clock


def floor(name: str, **settings: str) -> str:
    return pool_yaml(name, policies="[]", limits="{min: 4, max: 9}", **settings)


def test_a_slow_compartment_delays_neither_the_others_nor_the_next_tick(tmp_path: Path) -> None:
    pools = SlowPools(slow=FakePool(2), web=FakePool(2))
    yaml = config_yaml(floor("slow", compartment_id=ELSEWHERE), floor("web"))
    agent, clock = agent_on(pools, tmp_path, yaml, threads=4)
    assert not agent.tick(patience=0.2)
    assert pools.waiting.is_set()
    until(lambda: pools.pools[pool_id("web")].size == 4)
    assert agent.last_tick_at is None, "an incomplete tick does not feed the watchdog"

    pools.pools[pool_id("web")].size = 1
    clock.advance(timedelta(seconds=30))
    agent.tick(patience=0.2)
    until(lambda: pools.pools[pool_id("web")].size == 4)
    assert pools.pools[pool_id("slow")].size == 2

    pools.gate.set()
    clock.advance(timedelta(seconds=30))
    until(lambda: agent.workers.wait(0.1))
    assert agent.tick(patience=10)
    assert pools.pools[pool_id("slow")].size == 4
    agent.close()


def test_a_configuration_that_comes_in_between_stops_writes_of_the_old_one(tmp_path: Path) -> None:
    pools = SlowPools(slow=FakePool(2))
    yaml = config_yaml(floor("slow", compartment_id=ELSEWHERE))
    agent, _ = agent_on(pools, tmp_path, yaml, threads=4)
    agent.tick(patience=0.1)
    assert pools.waiting.wait(10)
    paused = config_yaml(floor("slow", compartment_id=ELSEWHERE, mode="paused"))
    agent.configs.bootstrap(paused, authoritative=True)
    agent.tick(patience=0.1)
    pools.gate.set()
    until(lambda: agent.workers.wait(0.1))
    assert pools.pools[pool_id("slow")].size == 2
    agent.close()


def events_of(agent: Agent) -> list[str]:
    records = agent.outbox.batch(500, 10**6).records
    return [r["scaling_event"] for r in records if r.get("scaling_event")]


def test_a_resize_answered_after_the_drain_is_told_by_the_next_process(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(2))
    yaml = config_yaml(floor("web"))
    agent, _ = agent_on(pools, tmp_path, yaml, threads=0)
    pools.after_resize = agent.outbox.close  # SIGTERM came, and the drain is over
    agent.tick()
    agent.close()
    assert pools.pools[pool_id("web")].size == 4

    pools.after_resize = lambda: None
    again, clock = agent_on(pools, tmp_path, yaml, threads=0)
    for _ in range(2):
        again.tick()
        clock.advance(timedelta(seconds=30))
    assert events_of(again) == ["SCALE_OUT"]
    again.close()


def test_while_the_disk_is_full_scaling_goes_on_and_each_resize_is_told_once(
    tmp_path: Path,
) -> None:
    pools = FakePools(web=FakePool(2))
    agent, clock = agent_on(pools, tmp_path, config_yaml(floor("web")), threads=0)
    pages = agent.outbox._file.db.execute("PRAGMA page_count").fetchone()[0]
    agent.outbox._file.db.execute(f"PRAGMA max_page_count = {pages}")
    agent.reporter.lifecycle("FILLER", "x" * 4000, NOON)
    assert not agent.outbox.put(())
    web = pool_id("web")
    agent.tick()
    written = Journal(tmp_path / "state" / "writes", stamp="now", on_problem=str).newest(web)
    assert written is not None
    assert written.status == "open", "a process that ends now leaves the telling to the next one"

    agent.outbox._file.db.execute("PRAGMA max_page_count = 1073741823")
    for _ in range(2):
        clock.advance(timedelta(seconds=30))
        agent.tick()
    written = Journal(tmp_path / "state" / "writes", stamp="now", on_problem=str).newest(web)
    assert written is not None
    assert written.status == "applied"
    assert pools.tokens == [written.token]
    assert events_of(agent) == ["SCALE_OUT"]
    agent.close()


def test_a_refusal_told_right_before_a_crash_is_not_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    pools = FakePools(web=FakePool(2))
    yaml = config_yaml(floor("web"))
    agent, _ = agent_on(pools, tmp_path, yaml, threads=0)
    pools.fail["resize"] = [refusal(400, "InvalidParameter")]
    # The process ends between the outbox and the journal: nothing else happens at that place.
    monkeypatch.setattr(agent.journal, "close", die)
    with pytest.raises(Killed):
        agent.tick()
    agent.outbox.close()

    again, _ = agent_on(pools, tmp_path, yaml, threads=0)
    again.tick()
    assert events_of(again).count("SCALE_FAILED") == 1
    again.close()


def test_a_surprise_in_one_pool_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    class Odd(FakePools):
        def in_compartment(self, region: str, compartment_id: str) -> Mapping[str, PoolSummary]:
            if compartment_id == ELSEWHERE:
                raise ZeroDivisionError("a bug")
            return super().in_compartment(region, compartment_id)

    pools = Odd(odd=FakePool(2), web=FakePool(2))
    yaml = config_yaml(floor("odd", compartment_id=ELSEWHERE), floor("web"))
    agent, clock = agent_on(pools, tmp_path, yaml, threads=4)
    for _ in range(3):
        assert agent.tick(patience=10)
        clock.advance(timedelta(seconds=30))
    assert pools.pools[pool_id("web")].size == 4
    records = agent.outbox.batch(500, 10**6).records
    problems = [r["reason"] for r in records if r.get("event_type") == "AGENT_PROBLEM"]
    assert len(problems) == 1, "told once"
    assert "ZeroDivisionError: a bug" in problems[0]
    agent.close()


def test_the_trouble_of_a_site_ends_when_the_configuration_leaves_it(tmp_path: Path) -> None:
    pools = FakePools(slow=FakePool(4), web=FakePool(4))
    agent, clock = agent_on(
        pools, tmp_path, config_yaml(floor("slow", compartment_id=ELSEWHERE)), threads=0
    )
    pools.fail["in_compartment"] = [timeout()]
    agent.tick()
    assert agent.trouble() is not None
    agent.configs.bootstrap(config_yaml(floor("web")), authoritative=True)
    clock.advance(timedelta(seconds=30))
    agent.tick()
    assert agent.trouble() is None
    agent.close()


def test_a_pool_that_may_not_be_read_is_told_once_per_back_off(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(2))
    agent, clock = agent_on(pools, tmp_path, config_yaml(floor("web")), threads=0)
    pools.fail["get"] = [refusal(404, "NotAuthorizedOrNotFound") for _ in range(99)]
    for _ in range(20):
        agent.tick()
        clock.advance(timedelta(seconds=30))
    assert events_of(agent) == ["SCALE_FAILED"] * 4, "after 0, 1, 3 and 7 minutes"
    agent.close()


def test_an_outage_of_writes_is_one_row_at_its_start_and_one_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pools = FakePools(web=FakePool(2))
    agent, clock = agent_on(pools, tmp_path, config_yaml(floor("web")), threads=0)
    codes = [(503, "ServiceUnavailable"), (500, "InternalError"), (503, "ServiceUnavailable")]
    pools.fail["get"] = [refusal(*codes[n % 3]) for n in range(20)]
    with caplog.at_level("INFO"):
        for _ in range(20):
            agent.tick()
            clock.advance(timedelta(seconds=30))
        assert events_of(agent) == ["SCALE_FAILED"]
        assert [r.levelname for r in caplog.records if r.name == "agent.notices"] == ["ERROR"]
        agent.tick()
    assert events_of(agent) == ["SCALE_FAILED", "SCALE_FAILURES_ENDED", "SCALE_OUT"]
    told = [r for r in agent.outbox.batch(500, 10**6).records if r.get("scaling_event")]
    assert told[1]["scaling_reason"] == (
        "no good answer: 20 times from 2026-01-15T12:00:00+00:00 to 2026-01-15T12:09:30+00:00"
    )
    agent.close()


def test_a_change_of_the_failure_is_told_and_a_need_that_went_away_ends_it(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(2))
    agent, clock = agent_on(pools, tmp_path, config_yaml(floor("web")), threads=0)
    pools.fail["get"] = [refusal(503, "ServiceUnavailable") for _ in range(3)]
    pools.fail["get"] += [refusal(429, "TooManyRequests") for _ in range(2)]
    for _ in range(5):
        agent.tick()
        clock.advance(timedelta(seconds=30))
    assert events_of(agent) == ["SCALE_FAILED", "SCALE_FAILURES_ENDED", "SCALE_FAILED"]
    pools.pools[pool_id("web")].size = 4  # somebody else did it
    for _ in range(12):
        agent.tick()
        clock.advance(timedelta(seconds=30))
    assert events_of(agent)[3:] == ["EXTERNAL_CHANGE", "SCALE_FAILURES_ENDED"]
    agent.close()


def test_native_autoscaling_is_asked_for_again_after_a_failure_in_passing_only(
    tmp_path: Path,
) -> None:
    for error, asked in ((refusal(503, "Unavailable"), 2), (refusal(404, "NotAuthorized"), 1)):
        pools = FakePools(web=FakePool(4))
        pools.fail["native_autoscaling"] = [error]
        home = tmp_path / error.cause.code
        home.mkdir()
        agent, clock = agent_on(pools, home, config_yaml(floor("web")), threads=0)
        for _ in range(4):
            agent.tick()
            clock.advance(timedelta(seconds=30))
        assert pools.calls.count("native_autoscaling") == asked
        agent.close()


def test_an_unreachable_region_costs_no_metric_reads(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(2))
    agent, _ = agent_on(pools, tmp_path, config_yaml(floor("web")), threads=0)
    source = FakeSource()
    agent.ticker._source = source
    pools.fail["in_compartment"] = [timeout()]
    agent.tick()
    assert source.reads == 0
    agent.tick()
    assert source.reads == 1
    agent.close()


def test_members_are_listed_for_a_few_pools_a_tick(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(25)]
    pools = FakePools(**{name: FakePool(4) for name in names})
    agent, clock = agent_on(pools, tmp_path, config_yaml(*map(floor, names)), threads=0)
    counts = []
    for _ in range(5):
        before = pools.calls.count("members")
        agent.tick()
        clock.advance(timedelta(seconds=30))
        counts.append(pools.calls.count("members") - before)
    assert counts == [10, 10, 5, 0, 0]
    agent.close()
