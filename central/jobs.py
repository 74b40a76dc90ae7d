"""What central does by itself, on one thread: sweeps, partitions, the fleet's interval."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """Something to do every so many seconds; `due` counts down."""

    name: str
    every: float
    run: Callable[[], object]
    due: float = 0.0


class Jobs:
    """Runs jobs one after the other; a job that fails is logged and tried again when next due."""

    STEP_SECONDS = 0.5

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin; every job runs at once for the first time."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin no other job."""
        self._stop.set()

    def stop(self) -> None:
        """End after the job that is running, or let it go with the process when it takes long."""
        self.ask_to_stop()
        self._thread.join(2)

    def _run(self) -> None:
        while not self._stop.is_set():
            for job in self._jobs:
                job.due -= self.STEP_SECONDS
                if job.due <= 0 and not self._stop.is_set():
                    job.due = job.every
                    self._attempt(job)
            self._stop.wait(self.STEP_SECONDS)

    def _attempt(self, job: Job) -> None:
        try:
            job.run()
        except SQLAlchemyError as error:
            log.warning("%s: the database did not answer (%s)", job.name, type(error).__name__)
        except Exception:  # one job's fault must not end the others
            log.exception("%s failed", job.name)
