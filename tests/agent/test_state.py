"""What is remembered of pools between ticks and across restarts."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.failures import capacity_failed, capacity_proven, is_capacity, write_failed
from agent.files import unseal, write_sealed
from agent.journal import Intent, Journal
from agent.observe import needs_members, with_members
from agent.pools import Instance, PoolSummary
from agent.state import Backoff, PoolNotes, StateStore
from agent.turns import after_crash
from shared.engine.codec import memory_to_json
from shared.engine.model import Member, Memory, NeedRun
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)


def store(home: Path) -> StateStore:
    return StateStore(home / "state.json", stamp="t", on_problem=pytest.fail)


FULL = PoolNotes(
    memory=Memory(at=NOON, size=4, needs=(NeedRun(NOON, NOON + MINUTE, 5),), change="out"),
    members=(Member("i1", "Running", NOON), Member("i2", "Provisioning")),
    listed_at=(4, 3, "SCALING"),
    backoff=Backoff(2, 5, 1, NOON + MINUTE, NOON, "OutOfCapacity"),
    removals=((NOON, 2),),
    work_checked_at=NOON,
    work_failed_at=NOON + MINUTE,
)


@pytest.mark.parametrize("notes", [PoolNotes(), FULL], ids=["nothing known", "everything known"])
def test_notes_survive_a_restart(notes: PoolNotes, tmp_path: Path) -> None:
    first = store(tmp_path)
    first.put("web", notes)
    first.save()
    assert store(tmp_path).get("web") == notes


def test_notes_of_one_pool_that_are_unusable_cost_only_that_pool(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.put("web", FULL)
    first.save()
    content = unseal((tmp_path / "state.json").read_text())
    content["pools"]["odd"] = {"memory": 3}
    write_sealed(tmp_path / "state.json", content)
    problems: list[str] = []
    again = StateStore(tmp_path / "state.json", stamp="t", on_problem=problems.append)
    assert again.get("web") == FULL
    assert again.get("odd") == PoolNotes()
    assert len(problems) == 1


def test_pools_that_left_are_forgotten_and_a_new_configuration_resets_backoffs(
    tmp_path: Path,
) -> None:
    found = store(tmp_path)
    found.put("web", FULL)
    found.put("gone", FULL)
    found.keep_only(["web"])
    found.reset_backoff()
    assert found.get("gone") == PoolNotes()
    assert found.get("web") == replace(FULL, backoff=Backoff())


def test_removals_count_for_an_hour() -> None:
    notes = PoolNotes().with_removal(NOON, 2).with_removal(NOON + 30 * MINUTE, 3)
    assert notes.removed_within_hour(NOON + 59 * MINUTE) == 5
    assert notes.removed_within_hour(NOON + 60 * MINUTE) == 3
    assert len(notes.with_removal(NOON + 95 * MINUTE, 1).removals) == 1


def test_backoffs_double_up_to_half_an_hour() -> None:
    waits = []
    backoff = Backoff()
    for _ in range(6):
        backoff = write_failed(backoff, "NotAuthorizedOrNotFound", NOON)
        assert backoff.writes_until is not None
        waits.append((backoff.writes_until - NOON) // MINUTE)
    assert waits == [1, 2, 4, 8, 16, 30]
    for _ in range(400):
        backoff = capacity_failed(backoff, "", NOON, needed=3)
    assert backoff.scale_out_until == NOON + 30 * MINUTE
    assert backoff.blocked(NOON + 31 * MINUTE) is None
    assert capacity_proven(backoff).capacity_failures == 0


CAPACITY: dict[str, tuple[str, str, bool]] = {
    "the plain code": ("OutOfCapacity", "", True),
    "as an internal error": ("InternalError", "Out of host capacity.", True),
    "a limit in words": ("400", "The following service limits were exceeded: vm", True),
    "a quota in words": ("400", "You have exceeded the compartment quota", True),
    "a plain internal error": ("InternalError", "Internal server error", False),
    "lost permission": ("NotAuthorizedOrNotFound", "Authorization failed", False),
    "rate limits are no capacity": ("TooManyRequests", "Too many requests", False),
}


@pytest.mark.parametrize(("code", "text", "result"), CAPACITY.values(), ids=CAPACITY.keys())
def test_capacity_is_recognised_by_code_and_by_words(code: str, text: str, result: bool) -> None:
    assert is_capacity(code, text) is result


def seen(size: int = 2, active: int = 2, state: str = "RUNNING") -> PoolSummary:
    return PoolSummary("web", size, active, state)


def instance(name: str, state: str = "Running", age: timedelta = timedelta(0)) -> Instance:
    return Instance(name, state, NOON - age)


def test_an_old_pool_is_not_taken_for_newcomers_by_a_fresh_agent() -> None:
    old, young = timedelta(days=3), timedelta(minutes=4)
    found = [instance("a", age=old), instance("b", age=young), instance("c", "Provisioning")]
    notes = with_members(PoolNotes(), found, seen(3), NOON)
    assert notes.members == (
        Member("a", "Running", NOON - old),
        Member("b", "Running", NOON),
        Member("c", "Provisioning", None),
    )


def test_a_member_keeps_the_instant_at_which_it_was_first_seen_running() -> None:
    notes = with_members(PoolNotes(), [instance("a"), instance("b", "Provisioning")], seen(), NOON)
    later = NOON + 5 * MINUTE
    notes = with_members(notes, [instance("a"), instance("b")], seen(), later)
    assert notes.members == (Member("a", "Running", NOON), Member("b", "Running", later))


def test_members_are_listed_again_when_something_changed() -> None:
    notes = with_members(PoolNotes(), [instance("a"), instance("b")], seen(), NOON)
    assert not needs_members(seen(), notes)
    assert needs_members(seen(size=3), notes)
    assert needs_members(seen(active=1), notes)
    assert needs_members(seen(state="SCALING"), notes)
    lagging = with_members(PoolNotes(), [instance("a")], seen(), NOON)
    assert needs_members(seen(), lagging), "the list did not show all that run"


def intent(**fields: object) -> Intent:
    memory = memory_to_json(Memory(at=NOON, size=4))
    given = {"status": "applied", "memory": memory} | fields
    return Intent("web", 4, 2, "etag", "token", NOON, "why", **given)  # type: ignore[arg-type] # fields by name


def test_a_journal_that_is_ahead_of_the_state_is_the_newer_truth() -> None:
    behind = PoolNotes(memory=Memory(at=NOON - MINUTE, size=3))
    found = after_crash(behind, intent())
    assert found.memory == Memory(at=NOON, size=4)
    assert found.removed_within_hour(NOON) == 2


def test_a_state_that_is_ahead_of_the_journal_stays() -> None:
    ahead = PoolNotes(memory=Memory(at=NOON, size=2))
    assert after_crash(ahead, intent()) == ahead
    assert after_crash(ahead, None) == ahead


def test_a_journal_without_memory_does_no_harm() -> None:
    behind = PoolNotes(memory=Memory(at=NOON - MINUTE, size=3))
    assert after_crash(behind, intent(memory={}, status="failed")) == behind


def test_intents_survive_a_restart_and_only_applied_ones_are_our_last_write(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "w", stamp="t", on_problem=pytest.fail)
    journal.open(intent(status="open"))
    again = Journal(tmp_path / "w", stamp="t", on_problem=pytest.fail)
    assert again.newest("web") == intent(status="open")
    assert again.last_write("web") is None
    again.close(intent(status="open"), "applied")
    last = Journal(tmp_path / "w", stamp="t", on_problem=pytest.fail).last_write("web")
    assert last is not None
    assert (last.to, last.at) == (2, NOON)


def test_a_torn_intent_is_set_aside(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "w", stamp="t", on_problem=pytest.fail)
    journal.open(intent())
    (path,) = (tmp_path / "w").glob("*.json")
    path.write_text(path.read_text()[:50])
    problems: list[str] = []
    again = Journal(tmp_path / "w", stamp="t", on_problem=problems.append)
    assert again.newest("web") is None
    assert len(problems) == 1
