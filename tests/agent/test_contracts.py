"""Fakes and the real things behave alike: the same tests run on both."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from agent.errors import CallError, Cause
from agent.oci_pools import OciPools
from agent.pools import PoolRef, Pools
from simulator.faults import Rule
from tests.agent.rig import COMPARTMENT, NOON, REGION, Rig
from tests.fakes import FakePool, FakePools, pool_id

REF = PoolRef(pool_id("web"), COMPARTMENT, REGION)
GONE = PoolRef(pool_id("gone"), COMPARTMENT, REGION)


class Both:
    """A pool `web` of 3 that runs since long, and a way to break it."""

    def __init__(self, pools: Pools, lose_reply: Callable[[], None], busy: Callable[[], None]):
        self.pools = pools
        self.lose_reply = lose_reply
        self.busy = busy


@pytest.fixture(params=["fake", "real"])
def both(request: pytest.FixtureRequest, rig: Rig) -> Iterator[Both]:
    if request.param == "fake":
        fake = FakePools(web=FakePool(3))

        def lose() -> None:
            fake.lose_replies = 1

        def occupy() -> None:
            fake.pools[REF.id].state = "SCALING"

        yield Both(fake, lose, occupy)
        return
    rig.add_pool("web", size=3)

    def lose_one() -> None:
        rig.break_with(rules=[Rule(operation="UpdateInstancePool", lost_reply=True, count=1)])

    def scale() -> None:
        rig.break_with(stuck_pools=["web"])

    yield Both(OciPools(rig.client(rig.settings, rig.surroundings())), lose_one, scale)


def failure(attempt: Callable[[], object]) -> Cause:
    with pytest.raises(CallError) as caught:
        attempt()
    return caught.value.cause


def test_a_list_shows_size_running_count_and_state(both: Both) -> None:
    found = both.pools.in_compartment(REGION, COMPARTMENT)[REF.id]
    assert (found.id, found.size, found.active, found.state) == (REF.id, 3, 3, "RUNNING")


def test_get_shows_the_same_and_an_etag_that_changes_with_a_resize(both: Both) -> None:
    before = both.pools.get(REF)
    both.pools.resize(REF, 4, etag=before.etag, token="t-1")
    after = both.pools.get(REF)
    assert (before.pool.size, after.pool.size) == (3, 4)
    assert before.etag
    assert before.etag != after.etag


def test_a_stale_etag_is_412_and_changes_nothing(both: Both) -> None:
    old = both.pools.get(REF).etag
    both.pools.resize(REF, 2, etag=old, token="t-1")
    cause = failure(lambda: both.pools.resize(REF, 5, etag=old, token="t-2"))
    assert (cause.status, cause.code, cause.certainty) == (412, "NoEtagMatch", "refused")
    assert both.pools.get(REF).pool.size == 2


def test_a_busy_pool_is_409(both: Both) -> None:
    both.busy()
    etag = both.pools.get(REF).etag
    cause = failure(lambda: both.pools.resize(REF, 5, etag=etag, token="t-1"))
    assert (cause.status, cause.code) == (409, "IncorrectState")


def test_an_unknown_pool_is_404_that_tells_nothing(both: Both) -> None:
    for attempt in (lambda: both.pools.get(GONE), lambda: both.pools.members(GONE)):
        cause = failure(attempt)
        assert (cause.status, cause.code) == (404, "NotAuthorizedOrNotFound")


def test_a_lost_reply_leaves_the_outcome_unknown_though_it_was_applied(both: Both) -> None:
    etag = both.pools.get(REF).etag
    both.lose_reply()
    cause = failure(lambda: both.pools.resize(REF, 5, etag=etag, token="t-1"))
    assert cause.certainty == "unknown"
    assert both.pools.get(REF).pool.size == 5


def test_members_are_listed_with_state_and_age(both: Both) -> None:
    members = both.pools.members(REF)
    assert len({member.id for member in members}) == 3
    assert {member.state.upper() for member in members} == {"RUNNING"}
    assert all(member.created_at is not None for member in members)


def test_without_failed_work_there_are_no_errors(both: Both) -> None:
    assert both.pools.work_errors(REF, NOON - timedelta(hours=1)) == ()


def test_the_real_thing_reads_work_request_errors_and_many_pages(rig: Rig) -> None:
    rig.add_pool("web", size=2)
    rig.break_with(shortages={"web": {"instances": 3, "code": "OutOfCapacity", "message": "none"}})
    pools = OciPools(rig.client(rig.settings, rig.surroundings()))
    pools.resize(REF, 6, etag=pools.get(REF).etag, token="t-1")
    rig.world.advance(300)
    errors = pools.work_errors(REF, NOON)
    assert [(error.code, error.message) for error in errors] == [("OutOfCapacity", "none")]
    assert pools.work_errors(REF, errors[-1].at + timedelta(milliseconds=1)) == ()

    rig.add_pool("big", size=300)
    big = PoolRef(pool_id("big"), COMPARTMENT, REGION)
    assert len(pools.members(big)) == 300
