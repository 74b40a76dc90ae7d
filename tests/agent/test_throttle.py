"""Request limits and outages: waiting for a turn, and not hammering what is down."""

from agent.throttle import Breaker, TokenBucket


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    time = Time()
    bucket = TokenBucket(2.0, 5, time, time.sleep)
    for _ in range(5):
        bucket.take()
    assert time.now == 0
    for _ in range(20):
        bucket.take()
    assert time.now == 10.0


def test_a_pause_fills_the_bucket_no_higher_than_the_burst() -> None:
    time = Time()
    bucket = TokenBucket(2.0, 5, time, time.sleep)
    time.now = 1000
    for _ in range(7):
        bucket.take()
    assert time.now == 1001.0


def test_central_may_change_the_rate() -> None:
    time = Time()
    bucket = TokenBucket(2.0, 1, time, time.sleep)
    bucket.take()
    bucket.set_rate(0.5)
    bucket.take()
    assert time.now == 2.0


def test_a_turn_that_comes_too_late_is_not_waited_for_and_costs_nothing() -> None:
    time = Time()
    bucket = TokenBucket(0.1, 1, time, time.sleep)
    assert bucket.take(0)
    assert not bucket.take(9.9)
    assert time.now == 0
    assert bucket.take(10)
    assert time.now == 10.0


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_try_later() -> None:
    time = Time()
    breaker = Breaker(time, failures=3, pause_seconds=30)
    for _ in range(2):
        breaker.failed()
    assert breaker.remaining() == 0
    breaker.failed()
    assert breaker.remaining() == 30
    time.now = 31
    assert breaker.remaining() == 0
    breaker.failed()
    assert breaker.remaining() == 30
    time.now = 62
    breaker.succeeded()
    breaker.failed()
    assert breaker.remaining() == 0
