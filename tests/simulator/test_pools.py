"""The life of a pool in simulated time, without HTTP."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.lifecycle import Timing
from simulator.members import Member, choose_victims, place
from simulator.pools import Pool
from tests.oci_world import NOON

DOMAINS = [("AD-1", "FD-1"), ("AD-1", "FD-2"), ("AD-2", "FD-1"), ("AD-2", "FD-2")]
SECOND = timedelta(seconds=1)


def pool(size: int = 2, **timing: Any) -> Pool:
    made = Pool("ocid1.instancepool.x", "web", "c", "r", NOON, list(DOMAINS), Timing(**timing))
    made.start_with(size)
    return made


def after(made: Pool, seconds: float) -> tuple[str, int, int]:
    """State, size and running count, some seconds after noon."""
    made.advance(NOON + SECOND * seconds)
    return made.current.state, made.current.size, made.current.running


def test_growth_is_running_after_the_launch_time() -> None:
    made = pool(2, launch=90 * SECOND)
    made.resize(5, NOON)
    assert after(made, 0) == ("SCALING", 5, 2)
    assert after(made, 89.9) == ("SCALING", 5, 2)
    assert after(made, 90) == ("RUNNING", 5, 5)


def test_large_growth_comes_in_batches() -> None:
    made = pool(0, launch=60 * SECOND, batch=20)
    made.resize(45, NOON)
    assert [after(made, s)[2] for s in (59, 60, 120, 180)] == [0, 20, 40, 45]


def test_shrinking_loses_the_instances_at_once_and_settles_later() -> None:
    made = pool(4, terminate=45 * SECOND)
    made.resize(1, NOON)
    assert after(made, 0) == ("SCALING", 1, 1)
    assert after(made, 45) == ("RUNNING", 1, 1)


def test_the_same_size_changes_nothing_but_the_etag() -> None:
    made = pool(3)
    version = made.current.version
    assert made.resize(3, NOON) is None
    assert after(made, 0) == ("RUNNING", 3, 3)
    assert made.current.version == version + 1


def test_a_stopped_pool_grows_without_launching_and_shrinks() -> None:
    made = pool(2, launch=60 * SECOND)
    made.stop(NOON)
    made.resize(4, NOON)
    assert after(made, 600) == ("STOPPED", 4, 0)
    made.resize(3, NOON + 600 * SECOND)
    assert after(made, 700) == ("STOPPED", 3, 0)
    made.start(NOON + 700 * SECOND)
    assert after(made, 759)[0] == "STARTING"
    assert after(made, 760) == ("RUNNING", 3, 3)


def test_a_new_pool_is_provisioning_until_its_instances_run() -> None:
    made = Pool("p", "web", "c", "r", NOON, list(DOMAINS), Timing(launch=60 * SECOND))
    made.start_with(2, launching=True)
    assert after(made, 59) == ("PROVISIONING", 2, 0)
    assert after(made, 60) == ("RUNNING", 2, 2)


def test_a_member_that_is_lost_is_replaced() -> None:
    made = pool(3, launch=60 * SECOND, terminate=45 * SECOND)
    made.lose(made.members[0], NOON)
    assert after(made, 0) == ("SCALING", 3, 2)
    assert after(made, 60) == ("RUNNING", 3, 3)


def test_without_capacity_the_size_is_rewritten_after_24_hours() -> None:
    made = pool(2, launch=60 * SECOND)
    made.host_capacity = 2
    request = made.resize(4, NOON)
    assert request is not None
    assert after(made, 86399) == ("SCALING", 4, 2)
    assert request.status(NOON + 60 * SECOND) == "FAILED"
    assert after(made, 86400) == ("RUNNING", 2, 2)


def test_a_new_pool_without_capacity_gives_up_too() -> None:
    made = Pool("p", "web", "c", "r", NOON, list(DOMAINS), Timing(give_up=600 * SECOND))
    made.host_capacity = 0
    made.start_with(2, launching=True)
    assert after(made, 599) == ("PROVISIONING", 2, 0)
    assert after(made, 600) == ("RUNNING", 0, 0)


def test_a_stopped_pool_stops_waiting_for_capacity_and_tries_again_when_started() -> None:
    made = pool(1, launch=60 * SECOND, retry=300 * SECOND)
    made.host_capacity = 1
    made.resize(3, NOON)
    made.stop(NOON + 10 * SECOND)
    made.host_capacity = None
    assert after(made, 900) == ("STOPPED", 3, 0)
    made.start(NOON + 900 * SECOND)
    assert after(made, 960) == ("RUNNING", 3, 3)


def test_a_power_cycle_keeps_the_past() -> None:
    made = pool(1, launch=60 * SECOND)
    made.stop(NOON + 100 * SECOND)
    made.start(NOON + 200 * SECOND)
    served = [made.members[0].served(NOON + s * SECOND) for s in (99, 100, 259, 260)]
    assert served == [True, False, False, True]


def member(name: str, domain: tuple[str, str], age: int) -> Member:
    return Member(name, name, domain, NOON - age * SECOND, up_from=NOON - age * SECOND)


VICTIMS: dict[str, tuple[list[Member], int, list[str]]] = {
    "the oldest of one domain": (
        [member("a", DOMAINS[0], 10), member("b", DOMAINS[0], 30), member("c", DOMAINS[0], 20)],
        2,
        ["b", "c"],
    ),
    "the crowded availability domain first": (
        [member("old", DOMAINS[2], 99), member("x", DOMAINS[0], 1), member("y", DOMAINS[1], 2)],
        1,
        ["y"],
    ),
    "then the crowded fault domain": (
        [member("old", DOMAINS[1], 99), member("x", DOMAINS[0], 1), member("y", DOMAINS[0], 2)],
        1,
        ["y"],
    ),
    "never more than there are": ([member("a", DOMAINS[0], 1)], 3, ["a"]),
}


@pytest.mark.parametrize(("members", "count", "names"), VICTIMS.values(), ids=VICTIMS.keys())
def test_who_has_to_go(members: list[Member], count: int, names: list[str]) -> None:
    assert [victim.id for victim in choose_victims(members, count)] == names


def test_new_members_go_where_there_is_most_room() -> None:
    members = [member("a", DOMAINS[0], 1), member("b", DOMAINS[2], 1), member("c", DOMAINS[1], 1)]
    assert place(DOMAINS, members) == DOMAINS[3]


@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), max_size=8),
    capacity=st.none() | st.integers(0, 60),
)
def test_a_pool_always_settles(changes: list[tuple[int, int]], capacity: int | None) -> None:
    made = pool(3)
    made.host_capacity = capacity
    now: datetime = NOON
    for wait, size in changes:
        now += wait * SECOND
        made.advance(now)
        made.resize(size, now)
        assert made.current.running <= len(made.counted(now))
    made.advance(now + timedelta(hours=30))
    end = made.current
    assert end.state == "RUNNING"
    assert end.size == end.running == len(made.counted(end.at))
    if capacity is None and changes:
        assert end.size == changes[-1][1]
    assert [s.at for s in made.history] == sorted(s.at for s in made.history)


@given(steps=st.lists(st.integers(1, 500), min_size=1, max_size=10))
def test_when_somebody_looks_makes_no_difference(steps: list[int]) -> None:
    watched, unseen = pool(2), pool(2)
    for made in (watched, unseen):
        made.resize(30, NOON)
    at = NOON
    for step in steps:
        at += step * SECOND
        watched.advance(at)
    unseen.advance(at)
    assert watched.history == unseen.history
