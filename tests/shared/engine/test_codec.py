"""Observations, memories and decisions as JSON: what goes out comes back the same."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine.codec import (
    decision_to_json,
    memory_from_json,
    memory_to_json,
    observation_from_json,
    observation_to_json,
)
from shared.engine.decide import decide
from shared.engine.model import (
    Blocked,
    Guard,
    LastWrite,
    Member,
    Memory,
    NeedRun,
    Observation,
    PoolState,
    Reading,
)
from shared.engine.outlook import outlook
from tests.engine_worlds import (
    EAGER,
    NOON,
    World,
    ago,
    cpu,
    ladder,
    member,
    per_instance,
    plan,
    queue,
    seen,
    watched,
)

INSTANTS = st.integers(946_684_800, 7_226_582_399).map(lambda at: datetime.fromtimestamp(at, UTC))
MAYBE = st.none() | INSTANTS
COUNTS = st.integers(0, 1_000_000)
DIRECTIONS = st.sampled_from([None, "out", "in"])

NEEDS = st.builds(NeedRun, INSTANTS, INSTANTS, st.integers(0, 2**70))
MEMBERS = st.builds(Member, st.text(max_size=5), st.text(max_size=9), MAYBE)

MEMORIES = st.builds(
    Memory,
    at=MAYBE,
    policies=st.text(max_size=16),
    needs=st.lists(NEEDS, max_size=3).map(tuple),
    counts=st.lists(st.tuples(INSTANTS, COUNTS), max_size=3).map(tuple),
    size=st.none() | COUNTS,
    change=DIRECTIONS,
    changed_at=MAYBE,
    changing=COUNTS,
    settled_at=MAYBE,
    settled_out_at=MAYBE,
    busy_since=MAYBE,
    mode=st.sampled_from([None, "active", "observe", "paused"]),
    reentering=st.booleans(),
)
VALUES: st.SearchStrategy[object] = st.one_of(
    st.floats(allow_nan=False), st.integers(), st.text(max_size=5), st.none(), st.booleans()
)
READINGS = st.builds(
    Reading,
    value=VALUES,
    at=MAYBE,
    samples=st.none() | COUNTS,
    instances=st.none() | st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    history=st.lists(st.tuples(INSTANTS, VALUES, st.none() | COUNTS), max_size=4).map(tuple),
    error=st.none() | st.text(max_size=9),
)
POOLS = st.builds(
    PoolState,
    size=COUNTS,
    active=COUNTS,
    state=st.text(max_size=9),
    instances=st.none()
    | st.lists(st.builds(Member, st.text(max_size=5), st.text(max_size=9), MAYBE), max_size=3).map(
        tuple
    ),
)
OBSERVATIONS = st.builds(
    Observation,
    now=INSTANTS,
    pool=POOLS,
    problem=st.none(),
    metrics=st.dictionaries(st.text(max_size=5), READINGS, max_size=2),
    blocked=st.none() | st.builds(Blocked, MAYBE, MAYBE, st.text(max_size=9)),
    guard=st.none() | st.builds(Guard, *[st.none() | COUNTS] * 3),
    last_write=st.none() | st.builds(LastWrite, COUNTS, INSTANTS),
    elapsed=st.none() | st.floats(0, 1e9),
)


def through_json(value: dict[str, Any]) -> Any:
    return json.loads(json.dumps(value))


@settings(max_examples=80, deadline=None)
@given(memory=MEMORIES)
def test_a_memory_comes_back_the_same(memory: Memory) -> None:
    assert memory_from_json(through_json(memory_to_json(memory))) == memory


@settings(max_examples=80, deadline=None)
@given(observation=OBSERVATIONS)
def test_an_observation_comes_back_the_same(observation: Observation) -> None:
    assert observation_from_json(through_json(observation_to_json(observation))) == observation


def test_an_unreadable_pool_comes_back_with_its_problem() -> None:
    missing = Observation(NOON, None, "missing")
    assert observation_from_json(through_json(observation_to_json(missing))) == missing
    silent = observation_from_json({"now": "2026-01-15T12:00:00Z"})
    assert silent == Observation(NOON, None, "unknown")


def test_instants_of_any_zone_are_read_as_utc() -> None:
    read = observation_from_json({"now": "2026-01-15T13:00:00+01:00"})
    assert (read.now, read.now.tzinfo) == (NOON, UTC)


# input -> what the sentence names
REFUSED: dict[str, tuple[Any, str]] = {
    "no object": ([], "input: top level"),
    "no instant": ({}, "input: now"),
    "an instant without a zone": ({"now": "2026-01-15T12:00:00"}, "input: now"),
    "an unknown key": ({"now": "2026-01-15T12:00:00Z", "pol": {}}, "input: pol"),
    "a negative size": (
        {"now": "2026-01-15T12:00:00Z", "pool": {"size": -1, "active": 0, "state": "RUNNING"}},
        "input: pool.size",
    ),
    "a window without its three parts": (
        {"now": "2026-01-15T12:00:00Z", "metrics": {"cpu": {"history": [[1]]}}},
        "input: metrics.cpu.history.0",
    ),
    "a year beyond all calendars": ({"now": "9999-12-31T23:59:59Z"}, "input: now: .*2199"),
    "time that does not pass": ({"now": "2026-01-15T12:00:00Z", "elapsed": "x"}, "input: elapsed"),
    "time that runs back": ({"now": "2026-01-15T12:00:00Z", "elapsed": -1}, "input: elapsed"),
    "time without end": ({"now": "2026-01-15T12:00:00Z", "elapsed": 1e300}, "input: elapsed"),
}


@pytest.mark.parametrize(("given_input", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_input_is_refused_with_its_place(given_input: Any, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        observation_from_json(given_input)


@pytest.mark.parametrize("kept", [None, {}, {"version": 2}, {"version": 1, "size": "many"}, "x"])
def test_a_memory_that_is_none_is_refused(kept: Any) -> None:
    with pytest.raises(ValueError, match="memory: "):
        memory_from_json(kept)


def test_a_memory_of_an_earlier_moment_is_enough() -> None:
    assert memory_from_json({"version": 1}) == Memory()


@settings(max_examples=25, deadline=None)
@given(observation=OBSERVATIONS, memory=MEMORIES)
def test_every_decision_is_plain_json(observation: Observation, memory: Memory) -> None:
    web = plan(cpu(), queue(), ladder())
    decision = decide(web, observation, memory)
    written = decision_to_json(decision, lambda d: outlook(web, d, observation.now))
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_a_decision_is_what_scripts_rely_on() -> None:
    web = plan(cpu(), queue(), ladder(), **EAGER)
    members = [member(f"vm{i}") for i in range(10)]
    busy = per_instance({f"vm{i}": 90.0 for i in range(10)})
    written = decision_to_json(
        decide(web, seen(10, members=members, cpu=busy, memory=50), watched(web, 10))
    )
    assert written["action"] == "scale_out"
    assert (written["current"], written["desired"], written["cause"]) == (10, 15, "metrics")
    assert written["bounds"]["floor"], written["bounds"]["ceiling"] == (1, 50)
    assert [(v["policy"], v["opinion"], v["wanted"], v["code"]) for v in written["votes"]] == [
        ("cpu", "wanted", 15, "off_target"),
        ("queue", "no_data", None, "no_data"),
        ("memory", "no_opinion", None, "no_breach"),
    ]
    assert written["reasons"][-1]["code"] == "scale_out"
    assert memory_from_json(written["memory"]).at == NOON


def test_feeding_memory_back_as_json_gives_the_same_timeline() -> None:
    web = plan(cpu(), cooldown={"scale_in": "3m"})
    world = World(web, 2, lambda minute: 400 if 5 < minute < 20 else 90)
    world.run(45)
    assert world.resizes()
    kept = memory_to_json(Memory())
    replayed = World(web, 2, world.load)
    for _, decision in world.decisions:
        replayed.memory = memory_from_json(through_json(kept))
        again = replayed.tick()
        kept = memory_to_json(again.verdict.memory)
        assert decision_to_json(again) == decision_to_json(decision)


def test_a_memory_is_small() -> None:
    web = plan(cpu(), stabilization={"scale_in": "30m"})
    memory = watched(web, 10, settled_at=ago(1), settled_out_at=ago(1), changed_at=ago(2))
    assert len(json.dumps(memory_to_json(memory))) < 600
