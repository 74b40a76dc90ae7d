"""The writer thread: takes what waits, commits it as one, and answers."""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from central.errors import ApiError
from central.ingest.model import Outcome, Reply, Submission
from central.ingest.queue import IngestQueue
from central.ingest.transaction import (
    Committed,
    MissingPartitionError,
    RefusedError,
    UnavailableError,
)
from shared.wire import Acknowledged, HeartbeatAnswer, Rejected

log = logging.getLogger(__name__)
BUSY_ATTEMPTS = 200
BUSY_PAUSE_SECONDS = 0.02
UNAVAILABLE = "The store cannot commit at the moment; the records are not acknowledged."


class Commit(Protocol):
    """Writes one batch in one transaction; see `GroupCommit`."""

    def write(self, batch: list[Submission]) -> Committed:
        """Commit, or raise what stands in the way."""

    def close(self) -> None:
        """Let go of the connection."""


class IngestWriter:
    """Turns queued heartbeats into committed rows and answered requests, on one thread.

    Args:
        queue: where heartbeats wait.
        commit: writes one batch in one transaction.
        answer: completes a committed reply (adds the YAML).
        make_partitions: called when today's partition is missing.
        retry_after: seconds, jittered, that a refused agent is asked to wait.
    """

    def __init__(
        self,
        queue: IngestQueue,
        commit: Commit,
        answer: Callable[[Reply, Acknowledged], HeartbeatAnswer],
        make_partitions: Callable[[], object],
        retry_after: Callable[[], int],
    ) -> None:
        self._queue = queue
        self._commit = commit
        self._answer = answer
        self._make_partitions = make_partitions
        self._retry_after = retry_after
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._failed_lately = False
        self.healthy = True

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Accept nothing more, write what waits (for at most `timeout` seconds), and end."""
        self._queue.close()
        self._thread.join(timeout)

    def database_answers(self) -> None:
        """Somebody else could commit; if nothing failed here since the last call, so can we.

        A commit of ours proves it sooner, but none may come: a load balancer sends no heartbeats to
        a central that is not ready.
        """
        if self._failed_lately:
            self._failed_lately = False
        else:
            self.healthy = True

    def _run(self) -> None:
        while (batch := self._queue.take()) is not None:
            try:
                outcomes = self._process(batch)
            except Exception:  # the thread must outlive any one batch
                log.exception("ingest failed")
                outcomes = [(submission, self._unavailable()) for submission in batch]
            deliver(outcomes)
        self._commit.close()

    def _process(
        self, batch: list[Submission], *, isolating: bool = False
    ) -> list[tuple[Submission, Outcome]]:
        try:
            committed = self._write(batch)
        except UnavailableError as error:
            if self.healthy:
                log.warning("the database cannot commit: %s", error)
            self.healthy, self._failed_lately = False, True
            return [(submission, self._unavailable()) for submission in batch]
        except RefusedError as error:
            return self._isolate(batch, error)
        self.healthy = True
        patience = 0 if isolating else BUSY_ATTEMPTS  # a part of a heartbeat cannot wait alone
        busy = self._put_back(committed.busy, patience)
        answered = [(reply.submission, self._complete(reply)) for reply in committed.replies]
        return [*answered, *committed.refused, *busy]

    def _write(self, batch: list[Submission]) -> Committed:
        try:
            return self._commit.write(batch)
        except MissingPartitionError:
            self._make_partitions()
            try:
                return self._commit.write(batch)
            except MissingPartitionError as error:
                raise UnavailableError("today's partition is missing") from error

    def _isolate(
        self, batch: list[Submission], error: RefusedError
    ) -> list[tuple[Submission, Outcome]]:
        """Halve a refused batch until what is refused stands alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            return [*self._process(batch[:middle]), *self._process(batch[middle:])]
        submission = batch[0]
        if not submission.records:
            problem = ApiError(422, "poison", f"The heartbeat cannot be stored: {error}.")
            return [(submission, problem)]
        if len(submission.records) == 1:
            sequence = submission.records[0].sequence
            refusal = Rejected(sequence=sequence, code="poison", reason=str(error))
            cleared = replace(submission, records=[], rejected=[*submission.rejected, refusal])
            (_, outcome), *_ = self._process([cleared], isolating=True)
            return [(submission, outcome)]
        return [(submission, self._in_halves(submission))]

    def _in_halves(self, submission: Submission) -> Outcome:
        """Store a heartbeat's records in two transactions and answer for both.

        What was refused before goes with the later half, since it moves the cursor.
        """
        middle = len(submission.records) // 2
        first = replace(submission, records=submission.records[:middle], rejected=[])
        second = replace(submission, records=submission.records[middle:], presence=False)
        (_, before), *_ = self._process([first], isolating=True)
        if isinstance(before, ApiError):
            return before
        (_, after), *_ = self._process([second], isolating=True)
        if isinstance(after, ApiError):
            return after
        return after.model_copy(update={"rejected": [*before.rejected, *after.rejected]})

    def _complete(self, reply: Reply) -> Outcome:
        stream = reply.submission.beat.stream_id
        try:
            return self._answer(reply, Acknowledged(stream_id=stream, sequence=reply.cursor))
        except Exception:  # committed already: the repeat will be answered
            log.exception("no answer to node %d", reply.submission.node_id)
            return self._unavailable()

    def _put_back(self, busy: list[Submission], patience: int) -> list[tuple[Submission, Outcome]]:
        """Try again in a moment; a node that stays locked gets a 503 after some seconds."""
        for submission in busy:
            submission.attempts += 1
        waiting = [s for s in busy if s.attempts < patience]
        if waiting:
            self._queue.put_back(waiting)
            self._queue.pause(BUSY_PAUSE_SECONDS)
        return [(s, self._unavailable()) for s in busy if s.attempts >= patience]

    def _unavailable(self) -> ApiError:
        return ApiError(503, "unavailable", UNAVAILABLE, retry_after=self._retry_after())


def deliver(outcomes: list[tuple[Submission, Outcome]]) -> None:
    """Hand outcomes to the event loops that wait for them, waking each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Submission, Outcome]]] = defaultdict(list)
    for submission, outcome in outcomes:
        if submission.future is not None:
            by_loop[submission.future.get_loop()].append((submission, outcome))
    for loop, pairs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, pairs)
        except RuntimeError:  # the loop closed: those requests are gone, their repeats will come
            log.info("%d answers had nobody left to hear them", len(pairs))


def _resolve(pairs: list[tuple[Submission, Outcome]]) -> None:
    for submission, outcome in pairs:
        if submission.future is not None and not submission.future.done():
            submission.future.set_result(outcome)
