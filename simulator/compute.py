"""Compute Management: instance pools and their members (API 20160918).

Operations and parameters: SDK 2.189 core/compute_management_client.py.
"""

from datetime import timedelta

from simulator.calls import Call
from simulator.errors import (
    ApiError,
    incorrect_state,
    invalid,
    no_etag_match,
    not_found,
    unreadable,
)
from simulator.lifecycle import pre_termination
from simulator.pool_json import etag, instance_summary, pool_details, pool_summary
from simulator.pools import Pool
from simulator.repeats import once
from simulator.replies import Reply, page

_UPDATABLE = frozenset(
    (
        *("size", "displayName", "freeformTags", "definedTags", "instanceConfigurationId"),
        *("placementConfigurations", "lifecycleManagement"),
        *("instanceDisplayNameFormatter", "instanceHostnameFormatter"),
    )
)


def list_instance_pools(call: Call) -> Reply:
    """ListInstancePools: one compartment; TERMINATED pools stay listed for a while."""
    compartment = call.compartment()
    shown = []
    for pool in call.world.pools.values():
        at = call.now - timedelta(seconds=call.world.faults.list_lag_seconds)
        seen = call.world.seen(pool, at)
        if seen is None or pool.compartment_id != compartment or call.elsewhere(pool.region):
            continue
        wanted = call.query.get("lifecycleState", seen.state) == seen.state
        named = call.query.get("displayName", pool.name) == pool.name
        if wanted and named and pool.listed(call.now):
            shown.append((pool, seen))
    by_name = call.query.get("sortBy") == "DISPLAYNAME"
    shown.sort(
        key=lambda item: (item[0].name if by_name else item[0].created_at.isoformat(), item[0].id),
        reverse=call.query.get("sortOrder", "ASC" if by_name else "DESC") == "DESC",
    )
    found, headers = page(shown, call.query)
    return Reply([pool_summary(pool, seen) for pool, seen in found], headers=headers)


def get_instance_pool(call: Call) -> Reply:
    """GetInstancePool: the only read that carries an etag."""
    return pool_reply(call, call.pool())


def update_instance_pool(call: Call) -> Reply:
    """UpdateInstancePool: 200 at once; what becomes of it shows later.

    A retry token that was used already returns the first answer again and applies nothing.
    """
    return once(call, _update)


def _update(call: Call) -> Reply:
    pool = call.pool()
    details = call.json()
    if_match = call.headers.get("if-match")
    if if_match is not None and if_match not in ("*", etag(pool)):
        raise no_etag_match()
    unknown = set(details) - _UPDATABLE
    if unknown:
        raise unreadable(f"Unrecognized fields: {', '.join(sorted(unknown))}")
    seen = call.world.seen(pool, call.now)
    state = seen.state if seen else "TERMINATED"
    accepts = call.world.faults.while_scaling == "accept"
    if state not in ("RUNNING", "STOPPED") and not (state == "SCALING" and accepts):
        raise incorrect_state(f"The instance pool {pool.id} is in state {state}.")
    wanted = details.get("size")
    size = None if wanted is None else _size(wanted, call.world.max_instances)
    _describe(pool, details)
    request = None if size is None else pool.resize(size, call.now)
    headers = {} if request is None else {"opc-work-request-id": request.id}
    reply = pool_reply(call, pool)
    return Reply(reply.body, headers=reply.headers | headers)


def _size(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(f"size must be a whole number of at least 0, got {value!r}")
    if value > most:
        raise ApiError(400, "LimitExceeded", f"The pool can have at most {most} instances.")
    return value


def _describe(pool: Pool, details: dict[str, object]) -> None:
    name, tags = details.get("displayName"), details.get("freeformTags")
    configuration = details.get("instanceConfigurationId")
    if isinstance(name, str):
        pool.name = name
    if isinstance(configuration, str):
        pool.instance_configuration_id = configuration
    if isinstance(tags, dict):
        pool.freeform_tags = {str(key): str(value) for key, value in tags.items()}
    if isinstance(details.get("lifecycleManagement"), dict):
        pool.lifecycle_management = pre_termination(details["lifecycleManagement"])


def list_instance_pool_instances(call: Call) -> Reply:
    """ListInstancePoolInstances: paged; the terminated ones stay listed for hours."""
    call.compartment()
    pool = call.pool()
    if call.required("compartmentId") != pool.compartment_id:
        raise not_found()
    at = call.now - timedelta(seconds=call.world.faults.list_lag_seconds)
    kept = pool.timing.terminated_listed
    listed = [
        member
        for member in pool.members
        if member.created_at <= at
        and not member.is_detached
        and (member.terminated_at is None or call.now < member.terminated_at + kept)
        and call.query.get("displayName", member.display_name) == member.display_name
    ]
    by_name = call.query.get("sortBy") == "DISPLAYNAME"
    listed.sort(
        key=lambda m: (m.display_name if by_name else m.created_at.isoformat(), m.id),
        reverse=call.query.get("sortOrder", "ASC" if by_name else "DESC") == "DESC",
    )
    found, headers = page(listed, call.query)
    shape = call.world.workload(pool).shape
    return Reply([instance_summary(pool, member, shape, at) for member in found], headers=headers)


def pool_reply(call: Call, pool: Pool) -> Reply:
    """Return a pool with its etag."""
    seen = call.world.seen(pool, call.now)
    if seen is None:
        raise not_found()
    return Reply(pool_details(pool, seen), headers={"etag": etag(pool)})
