"""Members that are chosen to go, the hook before they go, power actions, and metrics by name."""

from typing import Any

import httpx
import oci
import pytest
from oci.exceptions import ServiceError

from simulator.pools import Pool
from tests.oci_world import COMPARTMENT, OciWorld

MODELS = oci.core.models


def detach(tenancy: OciWorld, pool: Pool, instance: str, **options: Any) -> Any:
    token = options.pop("token", None)
    details = MODELS.DetachInstancePoolInstanceDetails(instance_id=instance, **options)
    extra = {"opc_retry_token": token} if token else {}
    return tenancy.compute.detach_instance_pool_instance(pool.id, details, **extra)


def ids(tenancy: OciWorld, pool: Pool) -> set[str]:
    return {member.id for member in pool.counted(tenancy.world.now())}


def error(attempt: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(ServiceError) as caught:
        attempt(*arguments, **options)
    return caught.value.status, caught.value.code


def test_a_chosen_member_goes_and_the_oldest_stay(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=3)
    newest = pool.members[-1].id
    reply = detach(tenancy, pool, newest, is_decrement_size=True, is_auto_terminate=True)
    assert reply.status == 202
    seen = tenancy.get(pool).data
    assert (seen.size, seen.lifecycle_state) == (2, "SCALING")
    tenancy.world.advance(120)
    seen = tenancy.get(pool).data
    assert (seen.size, seen.current_size, seen.lifecycle_state) == (2, 2, "RUNNING")
    assert newest not in ids(tenancy, pool)


def test_detaching_without_decrement_launches_another_and_keeps_the_instance(
    tenancy: OciWorld,
) -> None:
    pool = tenancy.add_pool(size=2)
    gone = pool.members[0].id
    detach(tenancy, pool, gone, is_decrement_size=False)
    tenancy.world.advance(120)
    assert tenancy.get(pool).data.size == 2
    listed = tenancy.compute.list_instance_pool_instances(COMPARTMENT, pool.id).data
    assert gone not in {member.id for member in listed}
    assert len(listed) == 2


def test_a_busy_pool_a_stranger_and_a_repeated_token(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=4)
    options = {"is_decrement_size": True, "is_auto_terminate": True}
    first = pool.members[0].id
    detach(tenancy, pool, first, token="once", **options)
    detach(tenancy, pool, first, token="once", **options)
    assert pool.size == 3
    assert error(detach, tenancy, pool, pool.members[1].id, **options) == (409, "IncorrectState")
    again = error(detach, tenancy, pool, pool.members[1].id, token="once", **options)
    assert again == (409, "InvalidatedRetryToken")
    assert error(detach, tenancy, pool, "ocid1.instance.oc1..stranger") == (
        404,
        "NotAuthorizedOrNotFound",
    )


@pytest.mark.parametrize("told", [True, False])
def test_a_member_waits_for_the_hook_until_told_or_timed_out(
    tenancy: OciWorld, *, told: bool
) -> None:
    pool = tenancy.add_pool(size=3, terminate_seconds=30)
    hook = MODELS.InstancePoolPreTerminationActionDetails(is_enabled=True, timeout=600)
    actions = MODELS.InstancePoolLifecycleActionsDetails(pre_termination=hook)
    management = MODELS.InstancePoolLifecycleManagementDetails(lifecycle_actions=actions)
    details = MODELS.UpdateInstancePoolDetails(size=2, lifecycle_management=management)
    tenancy.compute.update_instance_pool(pool.id, details)
    (leaving,) = [m for m in pool.members if m.terminating_at]
    tenancy.world.advance(300)
    seen = tenancy.compute.get_instance_pool_instance(pool.id, leaving.id).data
    assert seen.lifecycle_state == "TERMINATION_AWAIT"
    if told:
        proceed = MODELS.TerminationProceedInstancePoolInstanceDetails(instance_id=leaving.id)
        tenancy.compute.termination_proceed_instance_pool_instance(pool.id, proceed)
    tenancy.world.advance(60)
    assert tenancy.get(pool).data.lifecycle_state == ("RUNNING" if told else "SCALING")
    tenancy.world.advance(300)
    assert tenancy.get(pool).data.lifecycle_state == "RUNNING"


def test_power_actions_of_the_whole_pool(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    compute = tenancy.compute
    compute.softstop_instance_pool(pool.id)
    assert tenancy.get(pool).data.lifecycle_state == "STOPPED"
    assert error(compute.stop_instance_pool, pool.id) == (409, "IncorrectState")
    compute.start_instance_pool(pool.id)
    assert tenancy.get(pool).data.lifecycle_state == "STARTING"
    tenancy.world.advance(120)
    assert tenancy.get(pool).data.current_size == 2
    compute.reset_instance_pool(pool.id)
    assert tenancy.get(pool).data.lifecycle_state == "STARTING"
    tenancy.world.advance(120)
    assert tenancy.get(pool).data.lifecycle_state == "RUNNING"


def test_the_size_is_rewritten_after_a_day_without_capacity(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    tenancy.break_with(shortages={"web": {"instances": 3}})
    tenancy.resize(pool, 6)
    tenancy.world.advance(23.9 * 3600)
    assert (tenancy.get(pool).data.size, tenancy.get(pool).data.lifecycle_state) == (6, "SCALING")
    tenancy.world.advance(0.2 * 3600)
    assert (tenancy.get(pool).data.size, tenancy.get(pool).data.lifecycle_state) == (3, "RUNNING")


def test_metrics_are_listed_by_name_and_in_groups(tenancy: OciWorld) -> None:
    tenancy.add_pool(size=3)
    monitoring = tenancy.monitoring
    details = oci.monitoring.models.ListMetricsDetails
    found = monitoring.list_metrics(COMPARTMENT, details(namespace="oci_computeagent")).data
    assert len(found) == 6
    assert {metric.name for metric in found} == {"CpuUtilization", "MemoryUtilization"}
    grouped = monitoring.list_metrics(COMPARTMENT, details(group_by=["name", "namespace"])).data
    assert [metric.name for metric in grouped] == ["CpuUtilization", "MemoryUtilization"]
    one = monitoring.list_metrics(
        COMPARTMENT, details(dimension_filters={"resourceId": found[0].dimensions["resourceId"]})
    ).data
    assert len(one) == 2


def test_the_metadata_service_tells_a_member_its_pool(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2, hosts_this=True)
    with httpx.Client(trust_env=False) as client:
        found = client.get(
            tenancy.url + "/opc/v2/instance", headers={"Authorization": "Bearer Oracle"}
        ).json()
    assert (found["instancePoolId"], found["id"]) == (pool.id, pool.members[0].id)
