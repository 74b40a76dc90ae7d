"""The bounded queue: what waits goes together, and there is an end to what waits."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from central.ingest.model import Submission
from central.ingest.queue import IngestQueue, QueueFullError
from central.ingest.records import read_heartbeat
from shared.wire import Heartbeat
from tests.heartbeats import beat, metric


def submission(records: int = 0, size: int = 100) -> Submission:
    read = [metric(n) for n in range(1, records + 1)]
    body = Heartbeat.model_validate(beat(1, *read)).model_dump_json().encode()
    made = read_heartbeat(1, body, None)
    made.size = size
    return made


def test_everything_that_waits_is_taken_at_once_and_in_order() -> None:
    queue = IngestQueue()
    waiting = [submission(n) for n in range(3)]
    for one in waiting:
        queue.put(one)
    assert queue.take() == waiting
    assert len(queue) == 0


FULL: dict[str, tuple[dict[str, Any], int, int]] = {
    "records: heartbeats count one each": ({"max_records": 6}, 1, 3),
    "records: the last fits exactly": ({"max_records": 8}, 1, 4),
    "bytes": ({"max_bytes": 350}, 0, 3),
    "bytes: the last fits exactly": ({"max_bytes": 400}, 0, 4),
}


@pytest.mark.parametrize(("bounds", "records", "room"), FULL.values(), ids=FULL.keys())
def test_it_is_bounded(bounds: dict[str, Any], records: int, room: int) -> None:
    queue = IngestQueue(**bounds)
    for _ in range(room):
        queue.put(submission(records))
    with pytest.raises(QueueFullError):
        queue.put(submission(records))
    queue.take()
    queue.put(submission(records))


def test_a_batch_ends_at_its_bound() -> None:
    queue = IngestQueue(batch_records=5)
    for _ in range(4):
        queue.put(submission(2))
    assert [len(queue.take() or []) for _ in range(2)] == [2, 2]


def test_what_is_put_back_comes_first() -> None:
    queue = IngestQueue()
    first, second = submission(), submission()
    queue.put(first)
    taken = queue.take()
    queue.put(second)
    queue.put_back(taken or [])
    assert queue.take() == [first, second]


def test_closing_hands_out_the_rest_and_then_ends() -> None:
    queue = IngestQueue()
    queue.put(submission())
    queue.close()
    assert len(queue.take() or []) == 1
    assert queue.take() is None
    with pytest.raises(QueueFullError):
        queue.put(submission())


def test_a_waiting_taker_is_woken() -> None:
    queue = IngestQueue()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(queue.take)
        queue.put(submission())
        assert len(taken.result(5) or []) == 1
        ended = pool.submit(queue.take)
        queue.close()
        assert ended.result(5) is None
