"""How long the heartbeat thread waits, and that it survives everything."""

import random
from typing import Any

import pytest
from tenacity import Future, RetryCallState, Retrying

from agent.beater import Beater
from agent.central_client import CentralError
from agent.heartbeat import Heartbeats
from shared.wire import Acknowledged, HeartbeatAnswer
from tests.fakes import NOON


def answer(**fields: Any) -> HeartbeatAnswer:
    ack = Acknowledged(stream_id="stream-1", sequence=0)
    return HeartbeatAnswer(ack=ack, server_time=NOON, **fields)


class Beats(Heartbeats):
    """Heartbeats whose outcomes are given: an answer, or an error to raise."""

    def __init__(self, *outcomes: object, more: int = 0) -> None:
        self.outcomes = list(outcomes)
        self.more = more
        self.sent = 0
        self.applying = 0

    @property
    def is_awaited(self) -> bool:
        self.applying -= 1
        return self.applying >= 0

    def has_more(self) -> bool:
        self.more -= 1
        return self.more >= 0

    def beat(self, *, goodbye: bool = False) -> HeartbeatAnswer:
        self.sent += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, HeartbeatAnswer)
        return outcome


class Sleep:
    """Notes how long it was asked to sleep, and stops the agent when the story is over."""

    def __init__(self, beats: Beats) -> None:
        self.beats = beats
        self.slept: list[float] = []

    def __call__(self, seconds: float, /) -> bool:
        if seconds > 0:
            self.slept.append(seconds)
        return not self.beats.outcomes


def run(*outcomes: object, more: int = 0) -> Sleep:
    beats = Beats(*outcomes, more=more)
    sleep = Sleep(beats)
    Beater(beats, sleep, random.Random(3)).run()
    return sleep


DOWN = CentralError("central does not answer")


def test_it_beats_at_the_interval_that_central_assigns_within_ten_percent() -> None:
    slept = run(*(answer(next_heartbeat_seconds=50) for _ in range(6))).slept
    assert all(45 <= pause <= 55 for pause in slept)
    assert len(set(slept)) > 1


def test_what_became_of_a_configuration_is_told_within_seconds() -> None:
    beats = Beats(answer(yaml_config="x"), answer(), answer(), answer())
    beats.applying = 1
    sleep = Sleep(beats)
    Beater(beats, sleep, random.Random(3)).run()
    assert [pause < 6 for pause in sleep.slept] == [True, True, False, False]


def test_a_backlog_is_drained_two_batches_an_interval() -> None:
    sleep = run(*(answer() for _ in range(4)), more=99)
    assert sleep.beats.sent == 4
    assert len(sleep.slept) == 2


def test_draining_stops_when_central_asks_for_a_pause() -> None:
    sleep = run(*(answer(drain="pause") for _ in range(3)), more=99)
    assert len(sleep.slept) == 3


def waits(attempt: int, error: CentralError = DOWN, window: float = 40) -> list[float]:
    beats = Beats(answer(reconnect_window_seconds=window))
    beater = Beater(beats, Sleep(beats), random.Random(attempt))
    beater.run()
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    outcome: Future = Future(attempt)
    outcome.set_exception(error)
    state.outcome = outcome
    return [beater.wait_after(state) for _ in range(300)]


def test_the_first_retry_spreads_over_the_window_that_central_gave() -> None:
    found = waits(1)
    assert max(found) <= 40
    assert max(found) > 36
    assert min(found) < 4


@pytest.mark.parametrize(("attempt", "most"), [(2, 8), (4, 32), (8, 512), (10, 900), (5_000, 900)])
def test_later_retries_jitter_fully_inside_a_growing_cap(attempt: int, most: float) -> None:
    found = waits(attempt)
    assert max(found) <= most
    assert max(found) > 0.9 * most
    assert min(found) < 0.1 * most, "jitter inside the cap, never clamped to it"


def test_fault_33_retry_after_only_ever_lengthens_a_wait() -> None:
    short = CentralError("busy", status=503, retry_after=1)
    long = CentralError("busy", status=503, retry_after=600)
    assert max(waits(8, short)) > 100
    assert min(waits(2, long)) >= 600
    assert max(waits(2, long)) <= 660
    assert len({round(wait) for wait in waits(2, long)}) > 10


def test_fault_30_a_401_is_retried_slowly_and_for_ever() -> None:
    refused = CentralError("central answers 401: unknown key", status=401)
    sleep = run(*(refused for _ in range(40)), answer())
    assert sleep.beats.sent == 41
    assert max(sleep.slept) <= 900


def test_an_unforeseen_error_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    sleep = run(ZeroDivisionError("a bug"), answer(), answer())
    assert sleep.beats.sent == 3
    assert "unforeseen" in caplog.text


def test_an_outage_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        run(DOWN, DOWN, DOWN, answer(), answer())
    assert caplog.text.count("scaling goes on") == 1
    assert caplog.text.count("answers again") == 1
