"""Floor and ceiling of times whose rows have gone: from the YAML that was active then."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from central.store import pool_page
from shared.config.models import Config
from shared.engine.bounds import bounds_at
from shared.engine.plan import Plan

ConfigReader = Callable[[Connection, str | None], Config | None]
MOST_VERSIONS = 50
MOST_BYTES = 2**20  # of YAML that is parsed for one plot: some 200 milliseconds
BEFORE_END = timedelta(minutes=1)  # a step tells its newest state, as recorded bounds do


def bounds_then(
    connection: Connection,
    pool: dict[str, Any],
    read: ConfigReader,
    moments: Sequence[datetime],
    step: timedelta,
) -> dict[datetime, tuple[int | None, int | None]]:
    """Floor and ceiling of each step, oldest first; steps before the versions looked at have none.

    A guard of the node and a pause are not in the YAML's past; what was recorded knows them.
    """
    if not moments:
        return {}
    eras = _eras(connection, pool, read, moments[0], moments[-1] + step)
    found: dict[datetime, tuple[int | None, int | None]] = {}
    for moment in moments:
        at = moment + step - BEFORE_END
        while len(eras) > 1 and eras[1][0] <= at:
            eras.pop(0)
        if eras and eras[0][0] <= at and eras[0][1] is not None:
            bounds = bounds_at(eras[0][1], at.replace(tzinfo=UTC), None)
            found[moment] = (bounds.floor, bounds.ceiling)
    return found


def _eras(
    connection: Connection,
    pool: dict[str, Any],
    read: ConfigReader,
    start: datetime,
    end: datetime,
) -> list[tuple[datetime, Plan | None]]:
    """Since when which plan was in force, oldest first; only as many as may be parsed."""
    eras: list[tuple[datetime, Plan | None]] = []
    parsed = 0
    for row in pool_page.versions(connection, pool["node_id"], end, MOST_VERSIONS):
        parsed += row["size"]
        if parsed > MOST_BYTES:
            break
        plan = _plan(read(connection, row["config_hash"]), pool["oracle_pool_id"])
        eras.append((row["created_at"], plan))
        if row["created_at"] <= start:
            break
    return eras[::-1]


def _plan(config: Config | None, ocid: str) -> Plan | None:
    """The pool under that OCID, whatever its name was; None where it was not in the file."""
    pools = [] if config is None else config.pools
    name = next((pool.name for pool in pools if pool.instance_pool_id == ocid), None)
    return None if config is None or name is None else Plan.of(config, name)
