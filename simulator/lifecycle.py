"""How long things take in the life of a pool, and what it looks like at an instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.errors import invalid


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
class PreTermination:
    """A pool's pre-termination hook: members wait so long before they go, or until told to.

    SDK 2.189 core/models/instance_pool_pre_termination_action_details.py.
    """

    timeout: timedelta
    given: dict[str, object]


def pre_termination(management: object) -> PreTermination | None:
    """Read `lifecycleManagement` of an update; None when its hook is off.

    Raises:
        ApiError: 400 for a body without what the SDK calls required.
    """
    try:
        actions = management["lifecycleActions"]  # type: ignore[index] # whatever was sent
        hook = actions.get("preTermination") or {"isEnabled": False, "timeout": 0}
        timeout = timedelta(seconds=int(hook["timeout"]))
        enabled = bool(hook["isEnabled"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise invalid(f"lifecycleManagement cannot be read: {error}") from None
    return PreTermination(timeout, dict(management)) if enabled else None  # type: ignore[call-overload] # the same


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pool looked like from an instant on. `version` is what its etag stands for."""

    at: datetime
    size: int
    running: int
    state: str
    version: int
