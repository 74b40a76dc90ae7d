"""The writer: one commit for what waits, an answer for each, and nothing lost between."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.errors import ApiError
from central.ingest.model import Outcome, Reply, Submission
from central.ingest.queue import IngestQueue
from central.ingest.records import read_heartbeat
from central.ingest.transaction import (
    Committed,
    MissingPartitionError,
    RefusedError,
    UnavailableError,
)
from central.ingest.writer import BUSY_ATTEMPTS, IngestWriter
from shared.wire import Acknowledged, Heartbeat, HeartbeatAnswer
from tests.heartbeats import NOON, beat, metric


class Store:
    """Commits in memory: refuses poisoned sequences, and fails as often as it is told."""

    def __init__(self, poison: set[int] | None = None) -> None:
        self.poison = poison or set()
        self.batches: list[list[Submission]] = []
        self.stored: list[tuple[int, int]] = []
        self.heartbeats: list[int] = []
        self.failures: list[Exception] = []
        self.busy: set[int] = set()
        self.closed = False

    def write(self, batch: list[Submission]) -> Committed:
        if self.failures:
            raise self.failures.pop(0)
        for submission in batch:
            if self.poison & {r.sequence for r in submission.records}:
                raise RefusedError("poison")
        self.batches.append(batch)
        committed = Committed(busy=[s for s in batch if s.node_id in self.busy])
        for submission in batch:
            if submission.node_id in self.busy:
                continue
            self.stored += [(submission.node_id, r.sequence) for r in submission.records]
            self.heartbeats += [submission.node_id] if submission.presence else []
            committed.replies.append(
                Reply(
                    submission,
                    submission.highest,
                    None,
                    None,
                    False,
                    list(submission.rejected),
                    [],
                    NOON,
                )
            )
        return committed

    def close(self) -> None:
        self.closed = True


class World:
    """A writer with a store in memory; `send` runs heartbeats through it and collects answers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.queue = IngestQueue()
        self.partitions = 0
        self.writer = IngestWriter(self.queue, store, self._answer, self._make, lambda: 7)

    def _make(self) -> None:
        self.partitions += 1

    def _answer(self, reply: Reply, ack: Acknowledged) -> HeartbeatAnswer:
        return HeartbeatAnswer(ack=ack, rejected=reply.rejected, server_time=reply.server_time)

    def send(self, *submissions: Submission) -> list[Any]:
        async def _run() -> list[Outcome]:
            for submission in submissions:
                submission.future = asyncio.get_running_loop().create_future()
                self.queue.put(submission)
            self.writer.start()
            futures = [s.future for s in submissions if s.future is not None]
            return await asyncio.wait_for(asyncio.gather(*futures), 10)

        try:
            return asyncio.run(_run())
        finally:
            self.writer.stop(5)


def heartbeat(node: int, *sequences: int) -> Submission:
    body = Heartbeat.model_validate(beat(1, *[metric(n) for n in sequences])).model_dump_json()
    return read_heartbeat(node, body.encode(), None)


def test_what_waits_is_one_commit() -> None:
    world = World(Store())
    answers = world.send(*[heartbeat(node, 1, 2) for node in range(50)])
    assert [a.ack.sequence for a in answers] == [2] * 50
    assert [len(batch) for batch in world.store.batches] == [50]
    assert world.store.closed


@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=8),
    chance=st.data(),
)
def test_poison_is_found_and_everything_else_is_stored_once(
    sizes: list[int], chance: st.DataObject
) -> None:
    last = sum(sizes)
    poison = chance.draw(st.sets(st.integers(1, max(last, 1)), max_size=4))
    submissions, next_sequence = [], 1
    for node, size in enumerate(sizes):
        submissions.append(heartbeat(node, *range(next_sequence, next_sequence + size)))
        next_sequence += size
    world = World(Store(poison))
    answers = world.send(*submissions)
    refused = {r.sequence for a in answers for r in a.rejected}
    assert refused == poison & set(range(1, last + 1))
    assert sorted(s for _, s in world.store.stored) == sorted(set(range(1, last + 1)) - poison)
    assert sorted(world.store.heartbeats) == list(range(len(sizes)))


def test_without_a_database_everybody_is_asked_to_come_back() -> None:
    store = Store()
    store.failures = [UnavailableError("gone")]
    world = World(store)
    answers = world.send(heartbeat(1, 1), heartbeat(2, 1))
    assert [(a.status, a.retry_after) for a in answers] == [(503, 7)] * 2
    assert not world.writer.healthy
    assert store.stored == []


def test_without_heartbeats_a_probe_that_finds_the_database_well_is_believed() -> None:
    world = World(Store())
    world.store.failures = [UnavailableError("gone")]
    world.send(heartbeat(1, 1))
    world.writer.database_answers()
    assert not world.writer.healthy, "a heartbeat failed since the last probe"
    world.writer.database_answers()
    assert world.writer.healthy


def test_a_missing_partition_is_made_and_the_batch_tried_again() -> None:
    store = Store()
    store.failures = [MissingPartitionError()]
    world = World(store)
    (answer,) = world.send(heartbeat(1, 1))
    assert (answer.ack.sequence, world.partitions) == (1, 1)


def test_a_partition_that_stays_missing_is_a_503() -> None:
    store = Store()
    store.failures = [MissingPartitionError(), MissingPartitionError()]
    (answer,) = World(store).send(heartbeat(1, 1))
    assert answer.status == 503


def test_an_unforeseen_fault_ends_one_batch_and_not_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    store.failures = [ZeroDivisionError("who would have thought")]
    world = World(store)
    world.queue = IngestQueue(batch_records=2)  # a batch for each
    world.writer = IngestWriter(world.queue, store, world._answer, world._make, lambda: 7)
    first, second = world.send(heartbeat(1, 1), heartbeat(2, 1))
    assert (first.status, second.ack.sequence) == (503, 1)
    assert "ingest failed" in caplog.text


def test_a_busy_node_is_tried_again_and_holds_up_nobody() -> None:
    store = Store()
    store.busy = {1}
    world = World(store)
    slow, quick = heartbeat(1, 1), heartbeat(2, 1)

    async def _run() -> tuple[Outcome, Outcome]:
        loop = asyncio.get_running_loop()
        for submission in (slow, quick):
            submission.future = loop.create_future()
            world.queue.put(submission)
        world.writer.start()
        assert slow.future is not None
        assert quick.future is not None
        first = await asyncio.wait_for(quick.future, 5)
        assert not slow.future.done()
        store.busy = set()
        return first, await asyncio.wait_for(slow.future, 5)

    first, second = asyncio.run(_run())
    world.writer.stop(5)
    assert not isinstance(first, ApiError)
    assert not isinstance(second, ApiError)


def test_a_node_that_stays_busy_is_asked_to_come_back() -> None:
    store = Store()
    store.busy = {1}
    stuck = heartbeat(1, 1)
    stuck.attempts = BUSY_ATTEMPTS - 3
    (answer,) = World(store).send(stuck)
    assert answer.status == 503
    assert store.stored == []
