"""How long things take in the life of a pool, and what it looks like at an instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in simulated time.

    Attributes:
        launch: from the request to Running; each further batch takes as long again.
        batch: how many instances are launched side by side (about 20, by the source comments
            of the Kubernetes provider).
        terminate: from Terminating to Terminated.
        retry: how often a pool without capacity tries again.
        give_up: when such a pool becomes RUNNING with what it has and its size is rewritten;
            24 hours by Oracle's page.
        terminated_listed: how long terminated instances and pools stay in lists.
    """

    launch: timedelta = timedelta(seconds=90)
    batch: int = 20
    terminate: timedelta = timedelta(seconds=45)
    retry: timedelta = timedelta(minutes=5)
    give_up: timedelta = timedelta(hours=24)
    terminated_listed: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pool looked like from an instant on. `version` is what its etag stands for."""

    at: datetime
    size: int
    running: int
    state: str
    version: int
