"""Instance pools as the SDK sees them over HTTP."""

import oci
import pytest
from oci.exceptions import RequestException, ServiceError

from simulator.scenario import AutoscalingSpec
from tests.oci_world import COMPARTMENT, NOON, OciWorld


def error(call: object, *args: object, **options: object) -> tuple[int, str]:
    assert callable(call)
    with pytest.raises(ServiceError) as caught:
        call(*args, **options)
    assert caught.value.request_id
    return caught.value.status, caught.value.code


def test_a_list_shows_wanted_and_running_counts_and_the_state(tenancy: OciWorld) -> None:
    tenancy.add_pool("web", size=3)
    tenancy.add_pool("api", size=0)
    found = {p.display_name: p for p in tenancy.compute.list_instance_pools(COMPARTMENT).data}
    assert (found["web"].size, found["web"].current_size) == (3, 3)
    assert (found["api"].size, found["api"].current_size) == (0, 0)
    assert found["web"].lifecycle_state == "RUNNING"


def test_a_list_is_of_one_compartment_and_takes_filters(tenancy: OciWorld) -> None:
    tenancy.add_pool("web")
    tenancy.add_pool("other", compartment_id="ocid1.compartment.oc1..other")
    listed = tenancy.compute.list_instance_pools
    assert [p.display_name for p in listed(COMPARTMENT).data] == ["web"]
    assert listed(COMPARTMENT, lifecycle_state="SCALING").data == []
    assert len(listed(COMPARTMENT, display_name="web").data) == 1
    assert error(listed, "ocid1.compartment.oc1..nowhere") == (404, "NotAuthorizedOrNotFound")


def test_a_list_comes_in_pages(tenancy: OciWorld) -> None:
    for number in range(5):
        tenancy.add_pool(f"pool-{number}")
    first = tenancy.compute.list_instance_pools(COMPARTMENT, limit=2)
    assert first.has_next_page
    every = oci.pagination.list_call_get_all_results(
        tenancy.compute.list_instance_pools, COMPARTMENT, limit=2
    )
    assert sorted(p.display_name for p in every.data) == [f"pool-{n}" for n in range(5)]


def test_members_come_in_pages_and_are_spread_over_the_domains(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=9)
    every = oci.pagination.list_call_get_all_results(
        tenancy.compute.list_instance_pool_instances, COMPARTMENT, pool.id, limit=4
    ).data
    assert len(every) == 9
    assert len({(m.availability_domain, m.fault_domain) for m in every}) == 9
    assert {m.state for m in every} == {"Running"}


def test_only_get_carries_an_etag(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    assert tenancy.get(pool).headers["etag"]
    assert "etag" not in tenancy.compute.list_instance_pools(COMPARTMENT).headers


def test_an_update_is_answered_at_once_and_done_later(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2, launch_seconds=90)
    answer = tenancy.resize(pool, 4)
    assert (answer.data.size, answer.data.current_size) == (4, 2)
    assert answer.data.lifecycle_state == "SCALING"
    tenancy.world.advance(89)
    assert tenancy.get(pool).data.current_size == 2
    tenancy.world.advance(1)
    done = tenancy.get(pool).data
    assert (done.current_size, done.lifecycle_state) == (4, "RUNNING")
    request = tenancy.work.get_work_request(answer.headers["opc-work-request-id"]).data
    assert (request.operation_type, request.status) == ("LaunchInstancesInPool", "SUCCEEDED")
    assert request.resources[0].identifier == pool.id


def test_an_update_with_the_newest_etag_is_applied(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    answer = tenancy.resize(pool, 3, if_match=tenancy.get(pool).headers["etag"])
    assert answer.data.size == 3


def test_an_update_with_an_old_etag_changes_nothing(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    old = tenancy.get(pool).headers["etag"]
    with tenancy.world.lock:
        pool.resize(3, tenancy.world.now())
    tenancy.world.advance(600)
    assert error(tenancy.resize, pool, 5, if_match=old) == (412, "NoEtagMatch")
    assert tenancy.get(pool).data.size == 3


@pytest.mark.parametrize(("choice", "size"), [("reject", 3), ("accept", 5)])
def test_a_scaling_pool_rejects_or_accepts_by_a_switch(
    tenancy: OciWorld, choice: str, size: int
) -> None:
    tenancy.break_with(while_scaling=choice)
    pool = tenancy.add_pool(size=2)
    tenancy.resize(pool, 3)
    if choice == "reject":
        assert error(tenancy.resize, pool, 5) == (409, "IncorrectState")
    else:
        tenancy.resize(pool, 5)
    assert tenancy.get(pool).data.size == size


def test_a_repeated_retry_token_is_applied_once(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    first = tenancy.resize(pool, 3, opc_retry_token="once")
    tenancy.world.advance(600)
    tenancy.world.pool("web").resize(2, tenancy.world.now())
    again = tenancy.resize(pool, 3, opc_retry_token="once")
    assert again.data.size == first.data.size == 3
    assert tenancy.get(pool).data.size == 2
    assert error(tenancy.resize, pool, 4, opc_retry_token="once") == (409, "InvalidatedRetryToken")


@pytest.mark.parametrize("size", [-1, 501, 2.5, "3", True])
def test_a_size_that_cannot_be_is_refused(tenancy: OciWorld, size: object) -> None:
    pool = tenancy.add_pool()
    status, code = error(
        tenancy.compute.base_client.call_api,
        "/instancePools/{id}",
        "PUT",
        path_params={"id": pool.id},
        header_params={"content-type": "application/json"},
        body={"size": size},
    )
    assert (status, code) in [(400, "InvalidParameter"), (400, "LimitExceeded")]
    assert tenancy.get(pool).data.size == 1


def test_unknown_and_forbidden_look_the_same(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    missing = error(tenancy.compute.get_instance_pool, pool.id + "x")
    tenancy.break_with(forbidden={"UpdateInstancePool": 404})
    assert error(tenancy.resize, pool, 2) == missing == (404, "NotAuthorizedOrNotFound")
    tenancy.break_with(forbidden={"UpdateInstancePool": 403})
    assert error(tenancy.resize, pool, 2) == (403, "NotAllowed")
    assert tenancy.get(pool).data.size == 1


def test_a_pool_without_host_capacity_answers_200_and_fails_its_work_request(
    tenancy: OciWorld,
) -> None:
    pool = tenancy.add_pool(size=2, launch_seconds=60, give_up_seconds=3600)
    tenancy.break_with(shortages={"web": {"instances": 3}})
    answer = tenancy.resize(pool, 6)
    assert answer.data.size == 6
    tenancy.world.advance(60)
    request = tenancy.work.list_work_requests(COMPARTMENT, resource_id=pool.id).data[0]
    assert request.status == "FAILED"
    problem = tenancy.work.list_work_request_errors(request.id).data[0]
    assert (problem.code, problem.message) == ("OutOfCapacity", "Out of host capacity.")
    seen = tenancy.get(pool).data
    assert (seen.size, seen.current_size, seen.lifecycle_state) == (6, 3, "SCALING")
    tenancy.world.advance(3600)
    seen = tenancy.get(pool).data
    assert (seen.size, seen.current_size, seen.lifecycle_state) == (3, 3, "RUNNING")


def test_a_pool_goes_on_growing_once_there_is_capacity_again(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2, launch_seconds=60, retry_seconds=300)
    tenancy.break_with(shortages={pool.id: {"instances": 2, "code": "QuotaExceeded"}})
    tenancy.resize(pool, 4)
    tenancy.world.advance(200)
    tenancy.break_with()
    tenancy.world.advance(160)
    seen = tenancy.get(pool).data
    assert (seen.size, seen.current_size, seen.lifecycle_state) == (4, 4, "RUNNING")


def test_a_lost_reply_was_applied(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    tenancy.break_with(rules=[{"operation": "UpdateInstancePool", "lost_reply": True, "count": 1}])
    with pytest.raises(RequestException, match="closed connection"):
        tenancy.resize(pool, 3)
    assert tenancy.get(pool).data.size == 3
    assert [entry.lost for entry in tenancy.world.requests.entries] == [True, False]


def test_a_list_lags_behind_get(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    tenancy.break_with(list_lag_seconds=30)
    tenancy.resize(pool, 3)
    sizes = []
    for seconds in (0, 29, 1):
        tenancy.world.advance(seconds)
        sizes.append(tenancy.compute.list_instance_pools(COMPARTMENT).data[0].size)
    assert sizes == [2, 2, 3]
    assert tenancy.get(pool).data.size == 3


def test_a_stuck_pool_stays_scaling_and_rejects_updates(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    tenancy.break_with(stuck_pools=["web"])
    tenancy.world.advance(7200)
    assert tenancy.get(pool).data.lifecycle_state == "SCALING"
    assert error(tenancy.resize, pool, 3) == (409, "IncorrectState")


def test_a_terminated_pool_stays_listed_for_a_while(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=1, terminate_seconds=45, terminated_listed_seconds=3600)
    pool.terminate(tenancy.world.now())
    states = []
    for seconds in (0, 45, 3599, 1):
        tenancy.world.advance(seconds)
        found = tenancy.compute.list_instance_pools(COMPARTMENT).data
        states.append([p.lifecycle_state for p in found])
    assert states == [["TERMINATING"], ["TERMINATED"], ["TERMINATED"], []]


def test_a_region_shows_only_its_own_pools(tenancy: OciWorld) -> None:
    tenancy.add_pool("web", region="eu-frankfurt-1")
    tenancy.add_pool("far", region="us-ashburn-1")
    url = tenancy.running.region_url("us-ashburn-1")
    client = tenancy.client(oci.core.ComputeManagementClient, url)
    assert [p.display_name for p in client.list_instance_pools(COMPARTMENT).data] == ["far"]
    assert len(tenancy.compute.list_instance_pools(COMPARTMENT).data) == 2


def test_a_native_autoscaling_configuration_is_listed(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    tenancy.world.add_autoscaling(AutoscalingSpec(pool="web"))
    found = tenancy.autoscaling.list_auto_scaling_configurations(COMPARTMENT).data
    assert [(c.resource.id, c.is_enabled) for c in found] == [(pool.id, True)]


def test_the_journal_counts_what_was_sent(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    tenancy.world.requests.clear()
    tenancy.get(pool)
    tenancy.get(pool)
    tenancy.compute.list_instance_pools(COMPARTMENT)
    assert tenancy.world.requests.by_operation() == {"GetInstancePool": 2, "ListInstancePools": 1}
    entry = tenancy.world.requests.entries[-1]
    assert (entry.at, entry.status, entry.query["compartmentId"]) == (NOON, 200, COMPARTMENT)
