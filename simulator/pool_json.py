"""Instance pools and their members as OCI writes them in JSON.

Fields: SDK 2.189 core/models/instance_pool.py, instance_pool_summary.py, instance_summary.py.
"""

from datetime import datetime

from simulator.lifecycle import Snapshot
from simulator.members import Member
from simulator.names import unique
from simulator.pools import Pool
from simulator.replies import timestamp


def etag(pool: Pool) -> str:
    """Return the opaque version of a pool."""
    return unique("etag", pool.id, pool.current.version)[:40]


def pool_details(pool: Pool, seen: Snapshot) -> dict[str, object]:
    """Return the InstancePool of GetInstancePool and UpdateInstancePool."""
    placements = [
        {
            "availabilityDomain": ad,
            "faultDomains": [fd for other, fd in pool.domains if other == ad],
            "primarySubnetId": None,
        }
        for ad in _availability_domains(pool)
    ]
    return _common(pool, seen) | {
        "placementConfigurations": placements,
        "loadBalancers": [],
        "instanceDisplayNameFormatter": None,
        "instanceHostnameFormatter": None,
        "lifecycleManagement": _hook(pool),
    }


def pool_summary(pool: Pool, seen: Snapshot) -> dict[str, object]:
    """Return the InstancePoolSummary of ListInstancePools."""
    return _common(pool, seen) | {"availabilityDomains": _availability_domains(pool)}


def _common(pool: Pool, seen: Snapshot) -> dict[str, object]:
    return {
        "id": pool.id,
        "compartmentId": pool.compartment_id,
        "displayName": pool.name,
        "instanceConfigurationId": pool.instance_configuration_id,
        "poolType": "INSTANCE",
        "lifecycleState": seen.state,
        "size": seen.size,
        "currentSize": seen.running,
        "timeCreated": timestamp(pool.created_at),
        "freeformTags": pool.freeform_tags,
        "definedTags": {},
    }


def _hook(pool: Pool) -> dict[str, object] | None:
    return None if pool.lifecycle_management is None else pool.lifecycle_management.given


def pool_instance(pool: Pool, member: Member, shape: str, at: datetime) -> dict[str, object]:
    """Return the InstancePoolInstance of GetInstancePoolInstance."""
    return instance_summary(pool, member, shape, at) | {
        "instancePoolId": pool.id,
        "lifecycleState": member.attachment(at),
    }


def _availability_domains(pool: Pool) -> list[str]:
    return sorted({ad for ad, _ in pool.domains})


def instance_summary(pool: Pool, member: Member, shape: str, at: datetime) -> dict[str, object]:
    """Return the InstanceSummary of ListInstancePoolInstances."""
    return {
        "id": member.id,
        "availabilityDomain": member.domain[0],
        "compartmentId": pool.compartment_id,
        "displayName": member.display_name,
        "faultDomain": member.domain[1],
        "instanceConfigurationId": pool.instance_configuration_id,
        "region": pool.region,
        "shape": shape,
        "state": member.state(at),
        "timeCreated": timestamp(member.created_at),
        "loadBalancerBackends": [],
    }
