"""A configuration's pools and schedules as rows: the YAML is the truth, these can be queried."""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from central.errors import ApiError
from central.tables import nodes, pools, schedules
from central.tables_enrolment import pool_former_owners
from central.tables_support import node_state
from shared.config.models import WEEKDAYS, Config, Pool, Schedule


@dataclass(frozen=True, slots=True)
class Projected:
    """Names of the node's pools now, and of those that left its YAML with this change."""

    pools: list[str]
    retired: list[str]


def existing(connection: Connection, config: Config, *, lock: bool = True) -> dict[str, RowMapping]:
    """Stored rows of a configuration's pools by OCID, with their owners; locked for a change."""
    statement = (
        select(
            pools,
            nodes.c.name.label("owner"),
            nodes.c.status.label("owner_status"),
            or_(
                node_state.c.running_hash == node_state.c.active_hash,
                node_state.c.received_at.is_(None),  # never heard of, so it never ran any
            ).label("owner_is_current"),
        )
        .join_from(pools, nodes, nodes.c.id == pools.c.node_id)
        .join(node_state, node_state.c.node_id == nodes.c.id)
        .where(pools.c.oracle_pool_id.in_([p.instance_pool_id for p in config.pools]))
        .order_by(pools.c.id)
    )
    if lock:
        statement = statement.with_for_update(of=pools)
    return {row["oracle_pool_id"]: row for row in connection.execute(statement).mappings()}


def check_ownership(
    node_id: int, config: Config, stored: dict[str, RowMapping], *, take_over: bool
) -> list[RowMapping]:
    """The pools that this node takes from another.

    A pool may be claimed once its owner runs a configuration without it, or was never heard and is
    not given one with it; or, when an operator says so, from an owner that is silent: offline,
    stopped, or never started.

    Raises:
        ApiError: 409 naming a pool that is another node's.
    """
    taken = []
    for pool in config.pools:
        row = stored.get(pool.instance_pool_id)
        if row is None or row["node_id"] == node_id:
            continue
        released = row["retired_at"] is not None and row["owner_is_current"]
        silent = take_over and row["owner_status"] in ("OFFLINE", "INACTIVE")
        if not released and not silent:
            raise ApiError(
                409,
                "pool_owned",
                f"Pool {pool.name} ({pool.instance_pool_id}) belongs to node {row['owner']}: take "
                "it out of that node's configuration and let it apply, or use --take-over once "
                "that node is OFFLINE or INACTIVE.",
            )
        taken.append(row)
    return taken


def project(
    connection: Connection, node_id: int, config: Config, taken: list[RowMapping]
) -> Projected:
    """Bring the node's pools and schedules rows in line with its configuration."""
    for row in taken:
        _tell_former_owner(connection, row)
    kept = [pool.instance_pool_id for pool in config.pools]
    retire = (
        update(pools)
        .where(
            pools.c.node_id == node_id,
            pools.c.retired_at.is_(None),
            pools.c.oracle_pool_id.not_in(kept),
        )
        .values(retired_at=func.now())
        .returning(pools.c.name)
    )
    retired = sorted(connection.execute(retire).scalars())
    # names may be swapped between two pools, so they are freed before they are given anew
    connection.execute(
        update(pools)
        .where(pools.c.node_id == node_id, pools.c.oracle_pool_id.in_(kept))
        .values(name=func.concat("\x01", pools.c.id))
    )
    if config.pools:
        _upsert_pools(connection, node_id, config.pools)
    _replace_schedules(connection, node_id, config)
    connection.execute(
        update(node_state)
        .where(node_state.c.node_id == node_id)
        .values(observe_pools=_still_listed(connection, node_id, kept))
    )
    return Projected([pool.name for pool in config.pools], retired)


def _upsert_pools(connection: Connection, node_id: int, wanted: list[Pool]) -> None:
    rows = [
        {
            "node_id": node_id,
            "oracle_pool_id": pool.instance_pool_id,
            "name": pool.name,
            "region": pool.region,
            "min_instances": pool.limits.min,
            "max_instances": pool.limits.max,
            "compartment_id": pool.compartment_id,
            "mode": pool.mode,
            "retired_at": None,
        }
        for pool in wanted
    ]
    statement = insert(pools).values(rows)
    changes = {name: statement.excluded[name] for name in rows[0] if name != "oracle_pool_id"}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["oracle_pool_id"], set_=changes)
    )


def _replace_schedules(connection: Connection, node_id: int, config: Config) -> None:
    names = [schedule.name for schedule in config.schedules]
    connection.execute(
        delete(schedules).where(schedules.c.node_id == node_id, schedules.c.name.not_in(names))
    )
    if not names:
        return
    rows = [
        {"node_id": node_id, **_schedule_row(schedule, config.zone_of(schedule))}
        for schedule in config.schedules
    ]
    statement = insert(schedules).values(rows)
    changes = {
        name: statement.excluded[name] for name in rows[0] if name not in ("node_id", "name")
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=["node_id", "name"], set_=changes)
    )


def _schedule_row(schedule: Schedule, zone: str) -> dict[str, object]:
    return {
        "name": schedule.name,
        "start_time": clock(schedule.start),
        "end_time": clock(schedule.end),
        "target_instances": schedule.target_instances,
        "is_active": schedule.active,
        "timezone": zone,
        "days": [WEEKDAYS[day] for day in sorted(schedule.days)],
        "mode": schedule.mode,
        "pools": schedule.pools,
        "ready_early": int(schedule.ready_early.total_seconds()),
        "valid_from": schedule.from_,
        "valid_until": schedule.until,
        "exceptions": schedule.except_,
    }


def clock(minutes: int) -> str:
    """Minutes after midnight as HH:MM; the end of the day is 24:00."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _tell_former_owner(connection: Connection, row: RowMapping) -> None:
    """Keep until when the pool was its own, for what it reports late; and let it only observe."""
    former = insert(pool_former_owners).values(pool_id=row["id"], node_id=row["node_id"])
    connection.execute(
        former.on_conflict_do_update(
            index_elements=["pool_id", "node_id"], set_={"until": func.now()}
        )
    )
    if row["retired_at"] is None:
        connection.execute(
            text(
                "UPDATE node_state SET observe_pools = array_append(observe_pools, :pool) "
                "WHERE node_id = :node AND NOT :pool = ANY(observe_pools)"
            ),
            {"pool": row["oracle_pool_id"], "node": row["node_id"]},
        )


def _still_listed(connection: Connection, node_id: int, kept: list[str]) -> list[str]:
    """Pools this node lost to another stay observed for as long as its YAML names them."""
    statement = select(node_state.c.observe_pools).where(node_state.c.node_id == node_id)
    lost: list[str] = connection.execute(statement).scalar_one()
    owned = set(
        connection.execute(
            select(pools.c.oracle_pool_id).where(
                pools.c.node_id == node_id, pools.c.oracle_pool_id.in_(lost)
            )
        ).scalars()
    )
    return [ocid for ocid in lost if ocid in kept and ocid not in owned]
