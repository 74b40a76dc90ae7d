"""What this agent is and what it can do."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from shared.config.capabilities import config_capabilities

CAPABILITIES = (
    *config_capabilities(),
    "outbox.v1",
    "observe_pools",
    "rollback",
    "metrics_budget",
    "next_api_key",
    "running_config",
)


def version() -> str:
    """Return the version of Poolkeeper; 0 when it runs from a bare checkout."""
    try:
        return installed("poolkeeper")
    except PackageNotFoundError:
        return "0"


def tzdata_version() -> str | None:
    """Return the version of the pinned time-zone data, on which schedules depend."""
    try:
        return installed("tzdata")
    except PackageNotFoundError:
        return None
