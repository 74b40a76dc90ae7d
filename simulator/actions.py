"""Compute Management: actions on a pool and on single members (API 20160918).

Operations and bodies: SDK 2.189 core/compute_management_client.py and
core/models/detach_instance_pool_instance_details.py; power actions: Oracle, "Stopping and
Starting the Instances in an Instance Pool".
"""

from collections.abc import Callable
from datetime import datetime

from simulator.calls import Call, Handler
from simulator.compute import pool_reply
from simulator.errors import incorrect_state, missing, no_etag_match, not_found
from simulator.members import Member
from simulator.pool_json import etag, pool_instance
from simulator.pools import Pool
from simulator.repeats import once
from simulator.replies import Reply


def get_instance_pool_instance(call: Call) -> Reply:
    """GetInstancePoolInstance: a member with the lifecycle state of its attachment."""
    pool = call.pool()
    member = _member(pool, call.path["instanceId"], call.now)
    shape = call.world.workload(pool).shape
    return Reply(pool_instance(pool, member, shape, call.now))


def detach_instance_pool_instance(call: Call) -> Reply:
    """DetachInstancePoolInstance: the size shrinks unless told otherwise; termination is extra."""
    return once(call, _detach)


def termination_proceed(call: Call) -> Reply:
    """TerminationProceedInstancePoolInstance: a member that waits may go now."""
    return once(call, _proceed)


def power(action: str) -> Handler:
    """Return what serves start, stop, softstop, reset or softreset of a whole pool."""

    def act(call: Call) -> Reply:
        pool = call.pool()
        if_match = call.headers.get("if-match")
        if if_match is not None and if_match not in ("*", etag(pool)):
            raise no_etag_match()
        change = _change(pool, action)
        if change is None:
            raise incorrect_state(f"The instance pool {pool.id} is in state {pool.current.state}.")
        change(call.now)
        return pool_reply(call, pool)

    act.__name__ = action
    return lambda call: once(call, act)


def _change(pool: Pool, action: str) -> Callable[[datetime], None] | None:
    state = pool.current.state
    if action == "start":
        return pool.start if state == "STOPPED" else None
    if state != "RUNNING":
        return None
    return pool.stop if action.endswith("stop") else pool.restart


def _detach(call: Call) -> Reply:
    pool = call.pool()
    details = call.json()
    instance = details.get("instanceId")
    if not isinstance(instance, str):
        raise missing("instanceId")
    member = _member(pool, instance, call.now)
    seen = call.world.seen(pool, call.now)
    if seen is None or seen.state not in ("RUNNING", "STOPPED"):
        state = seen.state if seen else "TERMINATED"
        raise incorrect_state(f"The instance pool {pool.id} is in state {state}.")
    request = pool.detach(
        member,
        call.now,
        decrement=details.get("isDecrementSize", True) is not False,
        terminate=details.get("isAutoTerminate", False) is True,
    )
    return Reply(None, status=202, headers={"opc-work-request-id": request.id})


def _proceed(call: Call) -> Reply:
    pool = call.pool()
    instance = call.json().get("instanceId")
    if not isinstance(instance, str):
        raise missing("instanceId")
    member = _member(pool, instance, call.now)
    if not member.awaits_termination(call.now):
        raise incorrect_state(f"The instance {instance} does not wait for its termination.")
    pool.proceed(member, call.now)
    return Reply(None, status=202)


def _member(pool: Pool, instance: str, at: datetime) -> Member:
    for member in pool.members:
        if member.id == instance and member.state(at) != "Terminated":
            return member
    raise not_found()
