"""Somebody else who sizes the pool against the agent: adopted once, and after that left to them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.contest import HANDS_OFF, LEAST_WINDOW, Contest, goes_against, stood_for, window
from agent.journal import Intent, Journal
from agent.observe import SiteView
from agent.pools import PoolSummary
from agent.referee import Referee, yielding
from agent.service import Agent
from agent.state import Backoff, PoolNotes
from agent.turn import Turn
from shared.config.loader import load
from shared.engine.model import Memory
from shared.engine.plan import Plan
from tests.agent.rig import Rig, config_yaml, pool_yaml
from tests.agent.test_faults import events, statuses
from tests.fakes import NOON, FakePool, FakePools, pool_id

pytestmark = pytest.mark.slow

FLOOR = config_yaml(pool_yaml("web", policies="[]", limits="{min: 4, max: 20}"))


@pytest.fixture
def agent(rig: Rig) -> Iterator[Agent]:
    """An agent that has raised a pool of two to its floor of four."""
    rig.add_pool("web", size=2)
    agent = rig.agent(FLOOR)
    rig.run(agent, minutes=2)
    assert rig.size("web") == 4
    yield agent
    agent.close()


def undo(rig: Rig, agent: Agent, size: int = 2, *, after: float = 3) -> None:
    """Somebody sets the size, and time passes."""
    rig.world.pool("web").resize(size, rig.world.now())
    rig.run(agent, minutes=after)


def writes(rig: Rig) -> int:
    return rig.requests().get("UpdateInstancePool", 0)


def test_one_change_against_it_is_put_right(rig: Rig, agent: Agent) -> None:
    undo(rig, agent)
    assert rig.size("web") == 4
    assert sorted(events(agent)) == ["EXTERNAL_CHANGE", "SCALE_OUT", "SCALE_OUT"]


def test_after_the_second_one_the_pool_is_only_observed_and_it_says_so_once(
    rig: Rig, agent: Agent
) -> None:
    undo(rig, agent)
    undo(rig, agent, after=50)
    assert rig.size("web") == 2
    assert writes(rig) == 2
    assert events(agent).count("CONTENDED") == 1
    assert statuses(agent)[-1] == "error"
    rows = agent.outbox.batch(10_000, 10**8).records
    (told,) = [r["scaling_reason"] for r in rows if r.get("scaling_event") == "CONTENDED"]
    assert "somebody else changed the size against this agent twice" in told


def test_after_an_hour_it_tries_again(rig: Rig, agent: Agent) -> None:
    undo(rig, agent)
    undo(rig, agent, after=65)
    assert rig.size("web") == 4
    assert statuses(agent)[-1] == "healthy"


def test_a_new_configuration_ends_it(rig: Rig, agent: Agent) -> None:
    undo(rig, agent)
    undo(rig, agent)
    assert rig.size("web") == 2
    (rig.home / "config.yaml").write_text(FLOOR.replace("min: 4", "min: 5"))
    agent.reload_file()
    rig.run(agent, minutes=2)
    assert rig.size("web") == 5


def test_it_outlives_a_restart(rig: Rig, agent: Agent) -> None:
    undo(rig, agent)
    undo(rig, agent)
    again = rig.agent(FLOOR)
    rig.run(again, minutes=10)
    assert rig.size("web") == 2
    again.close()


def test_a_resize_that_stood_for_a_cooldown_is_no_part_of_a_contest(rig: Rig, agent: Agent) -> None:
    for _ in range(3):
        undo(rig, agent, after=12)
        assert rig.size("web") == 4
    assert "CONTENDED" not in events(agent)


@pytest.mark.parametrize("size", [6, 9])
def test_who_goes_the_same_way_is_no_opponent(rig: Rig, agent: Agent, size: int) -> None:
    for _ in range(3):
        undo(rig, agent, size)
    assert rig.size("web") == size
    assert "CONTENDED" not in events(agent)


def test_limits_are_the_others_affair_meanwhile(rig: Rig, agent: Agent) -> None:
    undo(rig, agent)
    undo(rig, agent)
    undo(rig, agent, 1)
    assert rig.size("web") == 1


@pytest.mark.fault(43)
def test_of_two_live_agents_that_want_different_sizes_one_steps_back(
    rig: Rig, tmp_path: Path
) -> None:
    rig.add_pool("web", size=3)
    few = pool_yaml("web", policies="[]", limits="{min: 1, max: 2}")
    many = pool_yaml("web", policies="[]", limits="{min: 5, max: 9}")
    agents = []
    for name, pool in (("few", few), ("many", many)):
        home = tmp_path / name
        home.mkdir()
        agents.append(replace(rig, home=home).agent(config_yaml(pool), state_dir=home / "state"))
    for _ in range(100):
        rig.world.advance(30)
        for agent in agents:
            agent.tick()
    told = [events(agent).count("CONTENDED") for agent in agents]
    assert sorted(told) == [0, 1]
    assert writes(rig) <= 6
    last = max(e.at for e in rig.world.requests.entries if e.operation == "UpdateInstancePool")
    assert rig.world.now() - last > timedelta(minutes=30), "and then there is peace"
    for agent in agents:
        agent.close()


# its parts ---------------------------------------------------------------------------------------

POOL = load(FLOOR).pools[0]


def intent(before: int, to: int, **more: object) -> Intent:
    made = Intent(pool_id("web"), before, to, "v1", "token", NOON, status="applied")
    return replace(made, **more)  # type: ignore[arg-type] # fields by name


AGAINST: dict[str, tuple[tuple[int, int], int, bool]] = {
    "growth taken back": ((2, 4), 2, True),
    "growth taken back in part": ((2, 4), 3, True),
    "growth taken back and more": ((2, 4), 1, True),
    "more growth": ((2, 4), 5, False),
    "growth itself": ((2, 4), 4, False),
    "a removal taken back": ((4, 2), 4, True),
    "a further removal": ((4, 2), 1, False),
}


@pytest.mark.parametrize(("ours", "size", "against"), AGAINST.values(), ids=AGAINST.keys())
def test_what_goes_against_a_resize(ours: tuple[int, int], size: int, against: bool) -> None:
    assert goes_against(intent(*ours), size) is against


STOOD: dict[str, tuple[Memory, float]] = {
    "still under way": (Memory(change="out", changed_at=NOON), 0),
    "settled after a minute": (Memory(settled_at=NOON + timedelta(minutes=1)), 9),
    "settled before it was made": (Memory(settled_at=NOON - timedelta(hours=1)), 10),
    "never seen to settle": (Memory(), 10),
}


@pytest.mark.parametrize(("memory", "minutes"), STOOD.values(), ids=STOOD.keys())
def test_a_resize_stands_from_when_it_had_settled(memory: Memory, minutes: float) -> None:
    now = NOON + timedelta(minutes=10)
    assert stood_for(intent(2, 4), memory, now) == timedelta(minutes=minutes)


def test_the_longer_cooldown_counts_and_five_minutes_at_least() -> None:
    assert window(POOL) == LEAST_WINDOW
    long = POOL.cooldown.model_copy(update={"scale_out": timedelta(minutes=20)})
    assert window(POOL.model_copy(update={"cooldown": long})) == timedelta(minutes=20)


def test_a_contest_lasts_until_its_end_and_not_longer() -> None:
    contest = Contest(1, NOON).opposed_once_more(NOON)
    assert contest.is_on(NOON)
    assert contest.is_on(NOON + HANDS_OFF - timedelta(seconds=1))
    assert not contest.is_on(NOON + HANDS_OFF)


DOUBTS: dict[str, tuple[int, Backoff, int]] = {
    "what the list says is so": (2, Backoff(), 1),
    "the list lags": (4, Backoff(), 0),
    "there was no capacity for our growth": (2, Backoff(capacity_failures=1), 0),
}


@pytest.mark.parametrize(("real", "backoff", "opposed"), DOUBTS.values(), ids=DOUBTS.keys())
def test_what_may_have_another_cause_is_held_against_nobody(
    tmp_path: Path, real: int, backoff: Backoff, opposed: int
) -> None:
    journal = Journal(tmp_path, stamp="", on_problem=pytest.fail)
    ours = intent(2, 4, pool_id=POOL.instance_pool_id)
    journal.open(ours)
    journal.close(ours, "applied")
    pools = FakePools()
    pools.pools[POOL.instance_pool_id] = FakePool(real)
    summary = PoolSummary(POOL.instance_pool_id, 2, 2, "RUNNING")
    view = SiteView({POOL.instance_pool_id: summary}, {}, None)
    turn = Turn(Plan.of(load(FLOOR), "web"), view, NOON + timedelta(minutes=1), "hash")
    notes = PoolNotes(memory=Memory(size=4), backoff=backoff)
    notes = Referee(pools, journal).weigh(turn, notes)
    assert notes.contest.opposed == opposed
    assert yielding(turn, notes) is turn
