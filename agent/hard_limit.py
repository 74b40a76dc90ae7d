"""Not waiting for longer than promised, whatever a library waits for: names, handshakes, drips."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Result = TypeVar("_Result")
_SLICE = 0.25


class OutOfTimeError(Exception):
    """A job did not end in its time, or was not begun because too many others hang."""

    def __init__(self, message: str, *, was_begun: bool) -> None:
        super().__init__(message)
        self.was_begun = was_begun


class _Attempt(Generic[_Result]):
    """One job on a thread of its own, and what came of it."""

    def __init__(self, job: Callable[[], _Result]) -> None:
        self._job = job
        self.ended = threading.Event()
        self.result: _Result
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._job()
        except BaseException as error:  # noqa: BLE001 # raised again where the job was asked for
            self.error = error
        finally:
            self.ended.set()


class HardLimit:
    """Runs jobs on threads of their own and stops waiting when their time is over.

    A job that is given up goes on by itself until the system lets it go, and its result is thrown
    away: only for jobs that may end late without harm. Its thread does not keep the process alive.

    Args:
        name: of the threads.
        most: how many jobs may hang before further ones are refused at once.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._running = 0
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether the next job would be refused."""
        with self._lock:
            return self._running >= self._most

    def run(
        self,
        job: Callable[[], _Result],
        seconds: float,
        is_over: Callable[[], bool] = lambda: False,
    ) -> _Result:
        """Return what the job returns, and raise what it raises.

        Args:
            job: what to do.
            seconds: of real time that it has.
            is_over: asked now and then; True gives it up before.

        Raises:
            OutOfTimeError: it did not end in its time, or was not begun.
        """
        with self._lock:
            if self._running >= self._most:
                text = f"earlier requests still hang ({self._running})"
                raise OutOfTimeError(text, was_begun=False)
            self._running += 1
        attempt = _Attempt(job)

        def work() -> None:
            attempt.run()
            with self._lock:
                self._running -= 1

        threading.Thread(target=work, name=self._name, daemon=True).start()
        left = seconds
        while not attempt.ended.wait(min(_SLICE, left)):
            left -= _SLICE
            if is_over():
                raise OutOfTimeError("it was given up before its time", was_begun=True)
            if left <= 0:
                raise OutOfTimeError(f"nothing whole came within {seconds:.0f} s", was_begun=True)
        if attempt.error is not None:
            raise attempt.error
        return attempt.result
