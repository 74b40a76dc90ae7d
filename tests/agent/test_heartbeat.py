"""Heartbeats: presence now, history exactly once, configuration in the answer."""

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from agent.central_client import CentralError
from agent.clock import SteppedClock
from agent.errors import SettingsError
from agent.records import Entry, Worth
from agent.service import Agent
from agent.settings import Settings
from agent.surroundings import Ports, Surroundings
from shared.config.hashing import config_hash
from shared.wire import Heartbeat
from tests.agent.rig import config_yaml, pool_yaml, wall_now
from tests.fakes import NOON, FakeCentral, FakePool, FakePools, FakeSource

GOOD = config_yaml(pool_yaml("web", policies="[]"))
BAD = "version: 1\npools: [{name: web}]\n"


class Ticking:
    """An agent with fakes on every side and a clock that is stepped by its ticks."""

    def __init__(self, home: Path, central: FakeCentral) -> None:
        self.clock = SteppedClock(NOON)
        self.pools = FakePools(web=FakePool(2))
        self.central = central
        around = Surroundings(self.clock, wall_now, self.clock.elapsed, threads=0)
        ports = Ports(self.pools, FakeSource(), central)
        self.agent = Agent(Settings(home), around, ports)
        self.agent.start()

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(timedelta(seconds=30))
            self.agent.tick()

    def beat(self) -> Heartbeat:
        self.agent.beat()
        return self.central.beats[-1]


@pytest.fixture
def central() -> FakeCentral:
    return FakeCentral()


@pytest.fixture
def node(tmp_path: Path, central: FakeCentral) -> Ticking:
    return Ticking(tmp_path, central)


def test_a_node_without_configuration_gets_it_with_its_first_heartbeat(
    node: Ticking, central: FakeCentral
) -> None:
    central.give(GOOD)
    node.tick()
    first = node.beat()
    assert (first.config.running_hash, first.config.status) == (None, "none")
    node.tick()
    second = node.beat()
    assert second.config.running_hash == config_hash(GOOD)
    assert second.config.status == "applied"
    assert central.sent_yaml == 1, "what runs is not sent again"


def test_a_state_directory_that_cannot_be_made_is_told_with_its_variable(
    tmp_path: Path, central: FakeCentral
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="POOLKEEPER_STATE_DIR"):
        Ticking(tmp_path / "file", central)


@pytest.mark.fault(50)
def test_a_bad_yaml_is_reported_failed_and_the_old_one_keeps_running(
    node: Ticking, central: FakeCentral
) -> None:
    central.give(GOOD)
    node.beat()
    node.tick()
    central.give(BAD)
    node.beat()
    node.tick()
    told = node.beat().config
    assert (told.status, told.failed_hash) == ("failed", config_hash(BAD))
    assert told.running_hash == config_hash(GOOD)
    assert "instance_pool_id" in (told.error or "")
    sent = central.sent_yaml
    node.beat()
    node.tick()
    node.beat()
    assert central.sent_yaml == sent, "a failed hash is not offered again"
    events = [record["event_type"] for record in central.records("lifecycle")]
    assert events.count("CONFIG_FAILED") == 1
    assert node.agent.configs.running is not None
    assert node.agent.configs.running.hash == config_hash(GOOD)


@pytest.mark.fault(24)
def test_a_lost_reply_doubles_nothing_and_loses_nothing(
    node: Ticking, central: FakeCentral
) -> None:
    central.give(GOOD)
    node.beat()
    node.tick(4)
    central.lose_replies = 2
    for _ in range(2):
        with pytest.raises(CentralError):
            node.beat()
    node.tick(4)
    node.beat()
    node.beat()
    rows = central.records("pool_analytics")
    assert node.agent.outbox.pending() == 0
    minutes = [row["timestamp"] for row in rows if "scaling_event" not in row]
    assert len(minutes) == len(set(minutes))
    sequences = [sequence for _, sequence in sorted(central.stored)]
    assert sequences == list(range(1, len(sequences) + 1))


def test_a_record_that_central_refuses_is_not_sent_again(
    node: Ticking, central: FakeCentral
) -> None:
    central.refuse = {2, 3}
    central.give(GOOD)
    node.beat()
    node.tick(4)
    node.beat()
    assert node.agent.outbox.pending() == 0
    assert node.agent.beats is not None
    assert node.agent.beats.rejected == 2


def test_a_long_history_goes_in_batches_of_500(node: Ticking, central: FakeCentral) -> None:
    central.give(GOOD)
    node.beat()
    node.agent.outbox.put(Entry({"kind": "x"}, Worth.METRIC, NOON) for _ in range(600))
    waiting = node.agent.outbox.pending()
    assert waiting > 500
    assert len(node.beat().records) == 500
    assert node.agent.outbox.pending() == waiting - 500


@pytest.mark.parametrize("status", [400, 413, 422])
def test_history_that_is_refused_as_a_whole_does_not_cost_presence(
    node: Ticking, central: FakeCentral, status: int
) -> None:
    node.agent.outbox.put(Entry({"kind": "x"}, Worth.METRIC, NOON) for _ in range(600))
    central.most_records = 3
    central.status = status
    tries = 0
    while not central.beats:
        tries += 1
        with contextlib.suppress(CentralError):
            node.agent.beat()
    assert tries <= 5
    central.most_records = None
    for _ in range(12):
        node.beat()
    assert node.agent.outbox.pending() == 0


def test_presence_tells_the_newest_tick_and_counts_up(node: Ticking, central: FakeCentral) -> None:
    central.give(GOOD)
    first = node.beat()
    assert first.last_tick_at is None
    node.tick(2)
    second = node.beat()
    assert second.sequence == first.sequence + 1
    assert second.boot_id == first.boot_id
    assert second.last_tick_at == node.clock.now()
    assert second.tzdata_version
    assert second.node_metrics["memory_percent"] is not None


@pytest.mark.fault(43)
def test_a_pool_that_another_node_owns_now_is_only_observed(
    node: Ticking, central: FakeCentral
) -> None:
    central.give(config_yaml(pool_yaml("web", policies="[]", limits="{min: 4, max: 9}")))
    central.observe_pools = ["ocid1.instancepool.oc1.eu-frankfurt-1.web"]
    node.beat()
    node.tick(3)
    assert "resize" not in node.pools.calls
    central.observe_pools = []
    node.beat()
    node.tick(3)
    assert "resize" in node.pools.calls


@pytest.mark.fault(21)
@pytest.mark.parametrize("observes", [True, False])
def test_one_of_two_agents_on_a_key_reports_as_another_stream(
    node: Ticking, central: FakeCentral, caplog: pytest.LogCaptureFixture, observes: bool
) -> None:
    central.give(config_yaml(pool_yaml("web", policies="[]", limits="{min: 4, max: 9}")))
    node.beat()
    before = node.agent.outbox.stream_id
    central.duplicate = True
    if observes:
        central.observe_pools = ["ocid1.instancepool.oc1.eu-frankfurt-1.web"]
    for _ in range(3):
        node.beat()
        node.tick()
    assert (node.agent.outbox.stream_id != before) is observes
    assert len({beat.stream_id for beat in central.beats}) == 1 + observes
    assert caplog.text.count("another live agent uses this node's key") == 1


@pytest.mark.fault(43)
def test_who_owns_a_pool_is_still_known_after_a_restart_without_central(
    node: Ticking, central: FakeCentral, tmp_path: Path
) -> None:
    central.give(config_yaml(pool_yaml("web", policies="[]", limits="{min: 4, max: 9}")))
    central.observe_pools = ["ocid1.instancepool.oc1.eu-frankfurt-1.web"]
    node.beat()
    node.tick()
    node.agent.close()
    again = Ticking(tmp_path, central)
    again.tick(3)
    assert "resize" not in again.pools.calls
    central.observe_pools = []
    again.beat()
    again.tick(3)
    assert "resize" in again.pools.calls


def test_a_goodbye_says_so(node: Ticking, central: FakeCentral) -> None:
    node.agent.beat(goodbye=True)
    assert central.beats[-1].goodbye


@pytest.mark.fault(1)
def test_decisions_are_the_same_without_central(tmp_path: Path) -> None:
    def sizes(name: str, downs: range) -> list[int]:
        central = FakeCentral()
        central.give(
            config_yaml(pool_yaml("web", policies="[]", limits="{min: 1, max: 9}"), more=lease)
        )
        node = Ticking(tmp_path / name, central)
        seen = []
        for step in range(40):
            central.is_down = step in downs
            try:
                node.agent.beat()
            except CentralError:
                assert central.is_down
            node.tick()
            seen.append(node.pools.pools["ocid1.instancepool.oc1.eu-frankfurt-1.web"].size)
        central.is_down = False
        while node.agent.outbox.pending():
            node.beat()
        assert len(central.stored) == max(sequence for _, sequence in central.stored)
        return seen

    lease = (
        "overrides:\n"
        '  - {pool: web, target_instances: 6, until: "2026-01-15T12:10:00Z", reason: "test"}\n'
        "schedules:\n"
        '  - {name: s, start: "12:14", end: "12:18", target_instances: 8, mode: exactly}\n'
    )
    assert sizes("up", range(0)) == sizes("down", range(5, 38))
    assert len(set(sizes("again", range(0)))) > 1


def test_the_running_configuration_is_sent_when_it_is_asked_for_and_only_then(
    node: Ticking, central: FakeCentral
) -> None:
    central.give(GOOD)
    node.tick()
    node.beat()
    node.tick()
    central.wants_config = True
    assert node.beat().running_config is None, "the question comes with the answer"
    assert node.agent.beats is not None
    assert node.agent.beats.is_awaited
    central.wants_config = False
    sent = node.beat()
    assert (sent.running_config, sent.records) == (GOOD, [])
    assert node.beat().running_config is None


def test_a_configuration_that_no_heartbeat_can_hold_is_not_sent(
    node: Ticking, central: FakeCentral, caplog: pytest.LogCaptureFixture
) -> None:
    central.give(GOOD + "#" * (1024 * 1024 - len(GOOD)))
    node.tick()
    node.beat()
    node.tick()
    central.wants_config = True
    for _ in range(3):
        assert node.beat().running_config is None
    assert caplog.text.count("too large to be sent") == 1
