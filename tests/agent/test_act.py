"""One guarded write, and every way in which it can end."""

from pathlib import Path

import pytest

from agent.act import Actor, Applied, DryActor, Failed, Skipped
from agent.errors import CallError, Cause
from agent.journal import Journal
from agent.pools import PoolRef
from shared.engine.model import Bounds, Memory, Resize, Verdict
from shared.engine.reasons import Code, Reason
from tests.fakes import NOON, FakePool, FakePools, counter, pool_id, refusal, timeout

REF = PoolRef(pool_id("web"), "ocid1.compartment.oc1..c", "eu-frankfurt-1")


def resize(current: int = 4, to: int = 6) -> Resize:
    reason = Reason(Code.SCALE_OUT, f"scales from {current} to {to}")
    verdict = Verdict(current, to, (reason,), (), Bounds(1, 10), (), Memory())
    return Resize(to, "metrics", verdict)


def journal_in(home: Path) -> Journal:
    return Journal(home / "writes", stamp="now", on_problem=pytest.fail)


def actor_on(pools: FakePools, home: Path) -> Actor:
    return Actor(pools, journal_in(home), counter("token"))


def test_a_resize_is_asked_for_once_under_the_etag_that_was_just_read(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(4, version=7))
    outcome = actor_on(pools, tmp_path).act(REF, resize(), NOON)
    assert isinstance(outcome, Applied)
    assert (outcome.before, outcome.to, outcome.recovered) == (4, 6, False)
    assert pools.calls == ["get", "resize"]
    assert pools.pools[REF.id].size == 6


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (FakePool(5), "changed_meanwhile"),
        (FakePool(4, state="SCALING"), "busy"),
        (FakePool(4, state="STOPPED"), "busy"),
    ],
    ids=["somebody resized it", "it is scaling", "it was stopped"],
)
def test_a_pool_that_differs_from_the_decision_is_left_alone(
    pool: FakePool, why: str, tmp_path: Path
) -> None:
    pools = FakePools(web=pool)
    outcome = actor_on(pools, tmp_path).act(REF, resize(), NOON)
    assert isinstance(outcome, Skipped)
    assert outcome.why == why
    assert pools.calls == ["get"]
    assert journal_in(tmp_path).newest(REF.id) is None


@pytest.mark.parametrize(
    ("error", "why"),
    [(refusal(412, "NoEtagMatch"), "changed_meanwhile"), (refusal(409, "IncorrectState"), "busy")],
    ids=["412", "409 IncorrectState"],
)
def test_a_lost_race_is_deferred_and_no_failure(error: CallError, why: str, tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(4))
    pools.fail["resize"] = [error]
    outcome = actor_on(pools, tmp_path).act(REF, resize(), NOON)
    assert isinstance(outcome, Skipped)
    assert outcome.why == why
    newest = journal_in(tmp_path).newest(REF.id)
    assert newest is not None
    assert newest.status == "failed"


FAILURES: dict[str, tuple[CallError, bool, bool]] = {
    "out of host capacity, as 500": (
        refusal(500, "InternalError", "Out of host capacity."),
        False,
        True,
    ),
    "a service limit": (refusal(400, "LimitExceeded", "The limit has been exceeded"), False, True),
    "a compartment quota": (refusal(400, "QuotaExceeded", "quota"), False, True),
    "lost permission": (refusal(404, "NotAuthorizedOrNotFound"), False, False),
    "an invalid request": (refusal(400, "InvalidParameter"), False, False),
    "a conflict": (refusal(409, "Conflict"), False, False),
    "throttled": (refusal(429, "TooManyRequests"), True, False),
    "not even sent": (
        CallError(Cause("x", "refused", code="Unreachable", certainty="not_sent", retry=True)),
        True,
        False,
    ),
}


@pytest.mark.parametrize(("error", "retry", "capacity"), FAILURES.values(), ids=FAILURES.keys())
def test_a_refusal_is_classified(
    error: CallError, retry: bool, capacity: bool, tmp_path: Path
) -> None:
    pools = FakePools(web=FakePool(4))
    pools.fail["resize"] = [error]
    actor = actor_on(pools, tmp_path)
    outcome = actor.act(REF, resize(), NOON)
    assert isinstance(outcome, Failed)
    assert (outcome.retry, outcome.is_capacity) == (retry, capacity)
    assert pools.calls == ["get", "resize"], "a write is never simply repeated"
    actor.close(REF, outcome)
    assert actor.resolve(REF) is None


@pytest.mark.parametrize(
    ("error", "retry"),
    [(refusal(404, "NotAuthorizedOrNotFound"), False), (refusal(503, "Unavailable"), True)],
    ids=["a lost permission", "an outage"],
)
def test_a_pool_that_cannot_be_read_waits_as_its_cause_says(
    error: CallError, retry: bool, tmp_path: Path
) -> None:
    pools = FakePools(web=FakePool(4))
    pools.fail["get"] = [error]
    outcome = actor_on(pools, tmp_path).act(REF, resize(), NOON)
    assert isinstance(outcome, Failed)
    assert outcome.retry is retry


def test_a_lost_reply_is_read_back_and_counts_as_applied(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(4))
    pools.lose_replies = 1
    outcome = actor_on(pools, tmp_path).act(REF, resize(), NOON)
    assert isinstance(outcome, Applied)
    assert outcome.recovered
    assert pools.calls == ["get", "resize", "get"]


def test_a_timeout_that_changed_nothing_may_be_tried_again(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(4))
    pools.fail["resize"] = [timeout()]
    outcome = actor_on(pools, tmp_path).act(REF, resize(), NOON)
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert pools.pools[REF.id].size == 4


def test_while_the_outcome_is_unknown_the_write_stays_open(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(4))
    pools.lose_replies = 1
    pools.fail["get"] = []
    actor = actor_on(pools, tmp_path)
    pools.after_resize = lambda: pools.fail["get"].append(refusal(503, "ServiceUnavailable"))
    outcome = actor.act(REF, resize(), NOON)
    assert isinstance(outcome, Skipped)
    assert outcome.why == "unresolved"

    resolved = actor_on(pools, tmp_path).resolve(REF)
    assert isinstance(resolved, Applied)
    assert resolved.to == 6


def test_a_write_that_a_crash_left_open_is_told_apart_by_reading_back(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    for applied in (True, False):
        home = tmp_path / str(applied)
        pools = FakePools(web=FakePool(4))
        if applied:
            pools.after_resize = die
        else:
            pools.fail["resize"] = [Killed()]
        with pytest.raises(Killed):
            actor_on(pools, home).act(REF, resize(), NOON)
        outcome = actor_on(pools, home).resolve(REF)
        assert isinstance(outcome, Applied if applied else Failed)


def test_planning_writes_nothing(tmp_path: Path) -> None:
    pools = FakePools(web=FakePool(4))
    outcome = DryActor(pools, journal_in(tmp_path), counter()).act(REF, resize(), NOON)
    assert isinstance(outcome, Skipped)
    assert outcome.why == "dry_run"
    assert pools.calls == []
