"""Proving each right at OCI that the agent needs, and naming the statement that is missing."""

from collections.abc import Callable, Sequence
from datetime import datetime

from agent.errors import CallError
from agent.findings import Finding
from agent.observe import ref_of
from agent.pools import PoolRef, Pools
from agent.sources.oci_monitoring import OciMonitoring
from shared.config.models import Pool

_READ = "allow dynamic-group G to read instance-pools in compartment id {compartment}"
_WRITE = (
    "allow dynamic-group G to manage instance-pools in compartment id {compartment}"
    " where request.permission = 'INSTANCE_POOL_UPDATE'"
)
_METRICS = "allow dynamic-group G to read metrics in compartment id {compartment}"
_NATIVE = (
    "allow dynamic-group G to inspect auto-scaling-configurations in compartment id {compartment}"
)
_DETACH = (
    "allow dynamic-group G to manage instance-pools in compartment id {compartment}"
    " where any {{request.permission = 'INSTANCE_POOL_UPDATE',"
    " request.permission = 'INSTANCE_POOL_INSTANCE_DETACH'}}"
)
_WORK = "allow dynamic-group G to inspect work-requests in compartment id {compartment}"


def prove_site(
    pools: Pools, source: OciMonitoring, members: Sequence[Pool], now: datetime
) -> list[Finding]:
    """Prove what the pools of one compartment need; nothing is changed by it."""
    first = members[0]
    where = f"{first.compartment_id} in {first.region}"
    listed: dict[str, int] = {}

    def list_pools() -> str:
        found = pools.in_compartment(first.region, first.compartment_id)
        listed.update({pool.id: pool.size for pool in found.values()})
        return f"{len(found)} pools in {where}"

    findings = [_prove("list pools", list_pools, _READ, first)]
    findings.append(
        _prove("read metrics", lambda: f"{source.probe(first, now)} CPU streams", _METRICS, first)
    )
    findings.append(_native(pools, members))
    for pool in members:
        if pool.instance_pool_id not in listed:
            if listed:
                text = "not in its compartment: deleted, moved, or a wrong OCID"
                findings.append(Finding(f"pool {pool.name}", is_good=False, text=text))
            continue
        findings += _pool(pools, pool, now)
    return findings


def _pool(pools: Pools, pool: Pool, now: datetime) -> list[Finding]:
    ref = ref_of(pool)
    name = f"pool {pool.name}"
    proven = [
        _prove(f"{name}, read", lambda: f"size {pools.get(ref).pool.size}", _READ, pool),
        _prove(f"{name}, members", lambda: f"{len(pools.members(ref))} instances", _READ, pool),
        _prove(f"{name}, resize", lambda: _may_resize(pools, ref), _WRITE, pool),
        _prove(
            f"{name}, work requests",
            lambda: f"{len(pools.work_errors(ref, now))} failed just now",
            _WORK,
            pool,
        ),
    ]
    return [*proven, _detach(pool)] if pool.protected else proven


def _native(pools: Pools, members: Sequence[Pool]) -> Finding:
    """Look for OCI's own autoscaling: two that size one pool fight."""
    first = members[0]
    what = "no native autoscaling"
    found: dict[str, str] = {}

    def look() -> str:
        found.update(pools.native_autoscaling(first.region, first.compartment_id))
        return "none is enabled on these pools"

    finding = _prove(what, look, _NATIVE, first)
    taken = [pool.name for pool in members if pool.instance_pool_id in found]
    if not taken:
        if finding.is_good:
            return finding
        text = f"not known, which stops nothing: {finding.text}; optional: {finding.cure}"
        return Finding(what, is_good=True, text=text)
    text = f"enabled on {', '.join(taken)}: the agent would only observe"
    return Finding(what, is_good=False, text=text, cure="disable it, or set mode: observe")


def _detach(pool: Pool) -> Finding:
    """OCI has no way to ask for this right without using it, so it is only named."""
    text = "needed to spare protected members; not proven, for that would remove one: "
    statement = _DETACH.format(compartment=pool.compartment_id)
    return Finding(f"pool {pool.name}, detach", is_good=True, text=text + statement)


def _may_resize(pools: Pools, ref: PoolRef) -> str:
    """Ask for the size that the pool has, under an etag that it never had: 412 proves the right.

    OCI has no dry run. Whether it checks permissions before etags is not documented.
    """
    size = pools.get(ref).pool.size
    try:
        pools.resize(ref, size, etag="poolkeeper-check", token=f"poolkeeper-check-{ref.id[-32:]}")
    except CallError as error:
        if error.cause.status in (409, 412):
            return "allowed"
        raise
    return "allowed"


def _prove(what: str, attempt: Callable[[], str], statement: str, pool: Pool) -> Finding:
    try:
        return Finding(what, is_good=True, text=attempt())
    except CallError as error:
        cause = error.cause
        cure = ""
        if cause.status in (403, 404):
            cure = "missing policy? " + statement.format(compartment=pool.compartment_id)
        elif cause.status == 401:
            cure = "check the key, its fingerprint, and this node's clock"
        return Finding(what, is_good=False, text=str(cause), cure=cure)
