"""History on its way: exactly once, bounded, and never the loss of what the agent did."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import SettingsError
from agent.outbox import Outbox
from agent.records import Entry, Worth
from tests.fakes import NOON, counter


def outbox_at(path: Path, problems: list[str] | None = None, **limits: int) -> Outbox:
    said = problems if problems is not None else []
    return Outbox(path, new_id=counter("stream"), stamp="now", on_problem=said.append, **limits)


def entry(
    text: str, worth: Worth = Worth.ROUTINE, minutes: float = 0, ref: str | None = None
) -> Entry:
    return Entry({"kind": "x", "text": text}, worth, NOON + timedelta(minutes=minutes), ref)


def texts(outbox: Outbox, count: int = 500, size: int = 10**6) -> list[str]:
    return [record["text"] for record in outbox.batch(count, size).records]


def test_records_come_out_in_order_with_ascending_sequences(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db")
    outbox.put([entry("a"), entry("b")])
    outbox.put([entry("c")])
    records = outbox.batch(500, 10**6).records
    assert [record["text"] for record in records] == ["a", "b", "c"]
    assert [record["sequence"] for record in records] == [1, 2, 3]


def test_what_is_not_acknowledged_is_sent_again(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db")
    outbox.put([entry("a"), entry("b"), entry("c")])
    assert texts(outbox) == texts(outbox) == ["a", "b", "c"]
    outbox.acknowledge(outbox.stream_id, 2)
    assert texts(outbox) == ["c"]
    outbox.acknowledge("another stream", 99)
    assert texts(outbox) == ["c"]


def test_stream_and_sequence_survive_a_restart_even_when_all_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    outbox = outbox_at(path)
    stream = outbox.stream_id
    outbox.put([entry("a"), entry("b")])
    outbox.acknowledge(stream, 2)
    outbox.close()

    again = outbox_at(path)
    again.put([entry("c")])
    assert again.stream_id == stream
    assert [record["sequence"] for record in again.batch(5, 10**6).records] == [3]


def test_another_stream_keeps_records_and_goes_on_counting(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "outbox")
    outbox.put([entry("one"), entry("two")])
    before = outbox.stream_id
    outbox.begin_stream()
    outbox.put([entry("three")])
    assert outbox.stream_id != before
    outbox.acknowledge(before, 3)
    batch = outbox.batch(10, 10**6)
    assert (batch.stream_id, [r["sequence"] for r in batch.records]) == (
        outbox.stream_id,
        [1, 2, 3],
    )
    outbox.close()
    assert outbox_at(tmp_path / "outbox").stream_id == batch.stream_id


def test_a_fact_is_put_once_however_often_it_is_told(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db")
    outbox.put([entry("grown", Worth.FACT, ref="token-1")])
    outbox.acknowledge(outbox.stream_id, 1)
    outbox.put([entry("grown", Worth.FACT, ref="token-1")])
    assert texts(outbox) == []


def test_a_batch_keeps_both_limits_but_always_moves(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db")
    outbox.put([entry("x" * 100) for _ in range(10)])
    assert len(outbox.batch(3, 10**6).records) == 3
    assert len(outbox.batch(500, 400).records) == 2
    assert len(outbox.batch(500, 10).records) == 1


@pytest.mark.fault(8)
def test_a_full_queue_drops_metrics_first_then_routine_never_facts(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db", max_bytes=60_000)
    outbox.put([entry("fact", Worth.FACT)])
    for number in range(30):
        metrics = [entry(f"m{number} {'x' * 100}", Worth.METRIC) for _ in range(10)]
        outbox.put([*metrics, *(entry("r" * 100) for _ in range(10))])
    left = texts(outbox, 10_000)
    assert "fact" in left
    assert sum(text.startswith("m") for text in left) < sum(text.startswith("r") for text in left)
    assert outbox.dropped > 0
    assert sum(len(text) for text in left) < 60_000

    outbox.put([entry(f"fact{number} {'x' * 100}", Worth.FACT) for number in range(2_000)])
    assert sum(text.startswith("fact") for text in texts(outbox, 10_000)) == 2_001


def test_old_records_go_but_facts_stay(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db")
    outbox.put([entry("old"), entry("old fact", Worth.FACT)])
    outbox.put([entry("new", minutes=8 * 24 * 60)])
    assert texts(outbox) == ["old fact", "new"]


@pytest.mark.fault(14)
def test_a_damaged_record_is_skipped_counted_and_told(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    problems: list[str] = []
    outbox = outbox_at(path, problems)
    outbox.put([entry("a"), entry("b"), entry("c")])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE records SET body = replace(body, '\"b\"', '\"B\"')")
    db.close()
    assert texts(outbox) == ["a", "c"]
    assert outbox.corrupt == 1
    assert "record 2" in problems[0]


@pytest.mark.parametrize("content", [b"", b"\0" * 8192, b"no database at all" * 500])
@pytest.mark.fault(13)
def test_an_unusable_file_is_set_aside_and_a_new_stream_begins(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "o.db"
    path.write_bytes(content)
    problems: list[str] = []
    outbox = outbox_at(path, problems)
    outbox.put([entry("a")])
    assert texts(outbox) == ["a"]
    if content:
        assert list(tmp_path.glob("o.db.corrupt-*"))
        assert problems


@pytest.mark.fault(8)
def test_a_disk_that_was_full_for_long_drops_nothing_that_was_stored(tmp_path: Path) -> None:
    outbox = outbox_at(tmp_path / "o.db", max_bytes=100_000)
    outbox.put([entry(f"s{number}") for number in range(100)])
    pages = outbox._file.db.execute("PRAGMA page_count").fetchone()[0]
    outbox._file.db.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(30):
        outbox.put([entry("x" * 15_000)])
    outbox._file.db.execute("PRAGMA max_page_count = 1073741823")
    outbox._unsaved.clear()
    outbox.put([entry("later")])
    assert texts(outbox) == [*(f"s{number}" for number in range(100)), "later"]


class Unreadable:
    """A database on a disk that fails for the moment: reads raise, everything else works."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def execute(self, *_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")


def test_a_read_that_fails_in_passing_costs_no_history(tmp_path: Path) -> None:
    problems: list[str] = []
    outbox = outbox_at(tmp_path / "o.db", problems)
    outbox.put([entry("a"), entry("b")])
    stream, works = outbox.stream_id, outbox._file.db
    outbox._file.db = Unreadable(works)  # type: ignore[assignment] # the disk of the test never fails
    assert texts(outbox) == []
    assert outbox.pending() == 0
    assert len(problems) == 1, "said once, not at every heartbeat"
    assert "disk I/O error" in problems[0]

    outbox._file.db = works
    assert texts(outbox) == ["a", "b"]
    assert outbox.stream_id == stream
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_a_directory_in_its_place_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "o.db").mkdir()
    problems: list[str] = []
    outbox = outbox_at(tmp_path / "o.db", problems)
    outbox.put([entry("a")])
    assert texts(outbox) == ["a"]
    assert len(problems) == 1


def test_a_file_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="POOLKEEPER_STATE_DIR"):
        outbox_at(tmp_path / "none" / "o.db")


def test_a_file_that_breaks_while_it_is_open_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    problems: list[str] = []
    outbox = outbox_at(path, problems)
    outbox.put([entry("x" * 1000) for _ in range(50)])
    outbox._file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 100_000)
    outbox._file.db.execute("PRAGMA shrink_memory")
    outbox.batch(500, 10**6)
    outbox.put([entry("later")])
    assert texts(outbox) == ["later"]
    assert list(tmp_path.glob("o.db.corrupt-*"))


@pytest.mark.fault(8)
def test_a_disk_that_refuses_is_outlived_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    problems: list[str] = []
    outbox = outbox_at(path, problems)
    blocker = sqlite3.connect(path)
    pages = blocker.execute("PRAGMA page_count").fetchone()[0]
    outbox._file.db.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(30):
        outbox.put([entry(f"m{number} {'x' * 50}", Worth.METRIC) for _ in range(100)])
    outbox.put([entry("fact", Worth.FACT)])
    assert len(problems) == 1, "said once, not at every tick"
    assert "holding records in memory" in problems[0]

    outbox._file.db.execute("PRAGMA max_page_count = 1073741823")
    outbox.put([entry("later")])
    blocker.close()
    left = texts(outbox, 10_000, 10**7)
    assert left[-2:] == ["fact", "later"]
    assert len(left) < 3_000
    assert outbox.dropped > 0


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.integers(1, 4).map(lambda n: ("put", n)),
            st.just(("send", 0)),
            st.just(("lost", 0)),
            st.just(("restart", 0)),
        ),
        max_size=30,
    )
)
def test_whatever_is_lost_on_the_way_each_record_arrives_once(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("o") / "o.db"
    outbox = outbox_at(path)
    put, stored, cursor = 0, list[str](), 0

    def send(answered: bool) -> None:
        nonlocal cursor
        for record in outbox.batch(3, 10**6).records:
            if record["sequence"] > cursor:
                stored.append(record["text"])
                cursor = record["sequence"]
        if answered:
            outbox.acknowledge(outbox.stream_id, cursor)

    for kind, count in steps:
        if kind == "put":
            outbox.put([entry(str(put + n)) for n in range(count)])
            put += count
        elif kind == "restart":
            outbox.close()
            outbox = outbox_at(path)
        else:
            send(answered=kind == "send")
    while outbox.pending():
        send(answered=True)
    outbox.close()
    assert stored == [str(n) for n in range(put)]
