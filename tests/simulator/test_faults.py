"""Faults that are switched on over HTTP, as the SDK feels them."""

import time

import pytest
from oci.exceptions import RequestException, ServiceError

from tests.oci_world import COMPARTMENT, OciWorld


def outcomes(tenancy: OciWorld, times: int) -> list[int]:
    found = []
    for _ in range(times):
        try:
            found.append(tenancy.compute.list_instance_pools(COMPARTMENT).status)
        except ServiceError as error:
            found.append(error.status)
    return found


def test_an_error_hits_as_often_as_told(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    tenancy.break_with(rules=[{"operation": "ListInstancePools", "status": 503, "count": 2}])
    assert outcomes(tenancy, 4) == [503, 503, 200, 200]


def test_an_error_hits_only_its_operation(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    tenancy.break_with(rules=[{"operation": "UpdateInstancePool", "status": 500}])
    assert outcomes(tenancy, 1) == [200]
    with pytest.raises(ServiceError) as caught:
        tenancy.resize(pool, 2)
    assert (caught.value.status, caught.value.code) == (500, "InternalError")
    assert pool.size == 1


def test_the_code_and_message_can_be_chosen(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    rule = {"operation": "UpdateInstancePool", "status": 400, "code": "QuotaExceeded"}
    tenancy.break_with(rules=[rule | {"message": "Over the quota.", "retry_after_seconds": 7}])
    with pytest.raises(ServiceError) as caught:
        tenancy.resize(pool, 2)
    assert (caught.value.code, caught.value.message) == ("QuotaExceeded", "Over the quota.")
    assert caught.value.headers["retry-after"] == "7"


def test_bad_luck_is_seeded(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    tenancy.break_with(rules=[{"status": 429, "probability": 0.5}])
    tenancy.world.random.seed(3)
    first = outcomes(tenancy, 20)
    tenancy.world.random.seed(3)
    assert outcomes(tenancy, 20) == first
    assert set(first) == {200, 429}


def test_an_answer_can_be_slow(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    tenancy.break_with(rules=[{"latency_seconds": 0.3, "count": 1}])
    started = time.monotonic()
    assert outcomes(tenancy, 1) == [200]
    assert time.monotonic() - started >= 0.3


def test_a_slow_reply_comes_after_its_effect(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=1)
    rule = {"operation": "UpdateInstancePool", "reply_latency_seconds": 2, "count": 1}
    tenancy.break_with(rules=[rule])
    tenancy.compute.base_client.timeout = (2, 0.3)
    with pytest.raises(RequestException, match="timed out"):
        tenancy.resize(pool, 2)
    assert tenancy.get(pool).data.size == 2


def test_a_lost_request_was_never_applied(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=1)
    tenancy.break_with(rules=[{"operation": "UpdateInstancePool", "lost_request": True}])
    with pytest.raises(RequestException, match="closed connection"):
        tenancy.resize(pool, 2)
    assert tenancy.get(pool).data.size == 1
    assert [entry.status for entry in tenancy.world.requests.entries] == [0, 200]


def test_writes_can_be_refused_while_reads_work(tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=1)
    tenancy.break_with(refuse_writes=True)
    with pytest.raises(ServiceError) as caught:
        tenancy.resize(pool, 2)
    assert (caught.value.status, caught.value.code) == (404, "NotAuthorizedOrNotFound")
    assert tenancy.get(pool).data.size == 1


def test_every_answer_carries_a_request_id_of_its_own(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    found = {
        tenancy.compute.list_instance_pools(COMPARTMENT).headers["opc-request-id"] for _ in range(3)
    }
    assert found == {entry.opc_request_id for entry in tenancy.world.requests.entries}
    assert len(found) == 3
