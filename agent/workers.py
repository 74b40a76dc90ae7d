"""Running work side by side without letting slow work hold up the rest."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

Job = Callable[[], None]


class Workers(Protocol):
    """Runs jobs, each under a key; a key that is still at work is not started again."""

    def submit(self, key: Hashable, job: Job) -> bool:
        """Start a job; return False when the one of that key has not ended yet."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is at work; return False when that took longer."""
        ...

    def close(self) -> None:
        """Let go of the threads; what runs may finish."""
        ...


class InlineWorkers:
    """Runs every job at once in the caller's thread, in order: what stepped tests use."""

    def submit(self, key: Hashable, job: Job) -> bool:
        """Run the job."""
        del key
        job()
        return True

    def wait(self, seconds: float) -> bool:
        """Return at once."""
        del seconds
        return True

    def close(self) -> None:
        """Do nothing."""


class ThreadWorkers:
    """Runs jobs on a bounded number of threads."""

    def __init__(self, threads: int, on_problem: Callable[[str], object]) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="pool")
        self._on_problem = on_problem
        self._at_work: set[Hashable] = set()
        self._idle = threading.Condition()

    def submit(self, key: Hashable, job: Job) -> bool:
        """See `Workers.submit`. A job that raises is reported, and the others go on."""
        with self._idle:
            if key in self._at_work:
                return False
            self._at_work.add(key)
        self._executor.submit(self._run, key, job)
        return True

    def wait(self, seconds: float) -> bool:
        """See `Workers.wait`."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._at_work, timeout=seconds)

    def close(self) -> None:
        """See `Workers.close`."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, key: Hashable, job: Job) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 # one pool's surprise must not stop the others
            self._on_problem(f"work on {key} failed: {type(error).__name__}: {error}")
        finally:
            with self._idle:
                self._at_work.discard(key)
                self._idle.notify_all()
