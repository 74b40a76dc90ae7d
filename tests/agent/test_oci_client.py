"""Calls through the real SDK: how failures look, what is retried, and what never is."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.errors import CallError, Cause
from agent.oci_auth import OciAuth
from agent.oci_calls import COMPUTE, MONITORING, Call
from agent.oci_client import OciClient
from agent.throttle import TokenBucket
from simulator.faults import Rule
from tests.agent.rig import COMPARTMENT, REGION, Rig

LIST = Call(
    COMPUTE, REGION, "ListInstancePools", "GET", "/instancePools", {"compartmentId": COMPARTMENT}
)


def client(rig: Rig, **settings: object) -> OciClient:
    given = replace(rig.settings, **settings)  # type: ignore[arg-type] # fields by name
    return rig.client(given, rig.surroundings())


def put(rig: Rig, size: int = 3) -> Call:
    pool = rig.world.pool("web")
    return Call(
        COMPUTE,
        REGION,
        "UpdateInstancePool",
        "PUT",
        f"/instancePools/{pool.id}",
        headers={"opc-retry-token": "token-1"},
        body={"size": size},
        is_write=True,
    )


def failure(attempt: Callable[[], object]) -> Cause:
    with pytest.raises(CallError) as caught:
        attempt()
    return caught.value.cause


def test_an_answer_is_plain_json_with_lower_case_headers(rig: Rig) -> None:
    rig.add_pool("web", size=2)
    answer = client(rig).call(LIST)
    assert [pool["size"] for pool in answer.data] == [2]
    assert answer.headers["opc-request-id"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_read_is_tried_three_times(rig: Rig, status: int) -> None:
    rig.add_pool("web")
    rig.break_with(rules=[Rule(operation="ListInstancePools", status=status, count=2)])
    client(rig).call(LIST)
    assert rig.requests()["ListInstancePools"] == 3
    rig.break_with(rules=[Rule(operation="ListInstancePools", status=status)])
    cause = failure(lambda: client(rig).call(LIST))
    assert (cause.status, cause.retry) == (status, True)
    assert rig.requests()["ListInstancePools"] == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412])
def test_a_refusal_is_not_asked_again(rig: Rig, status: int) -> None:
    rig.break_with(rules=[Rule(operation="ListInstancePools", status=status)])
    cause = failure(lambda: client(rig).call(LIST))
    assert (cause.status, cause.retry, cause.certainty) == (status, False, "refused")
    assert cause.request_id
    assert cause.request_id in str(cause)
    assert rig.requests()["ListInstancePools"] == 1


@pytest.mark.parametrize("rule", [{"status": 503}, {"status": 429}, {"lost_reply": True}])
@pytest.mark.fault(35)
def test_a_write_that_may_have_arrived_is_never_repeated(rig: Rig, rule: dict[str, Any]) -> None:
    rig.add_pool("web", size=2)
    rig.break_with(rules=[Rule(operation="UpdateInstancePool", **rule)])
    cause = failure(lambda: client(rig).call(put(rig)))
    assert rig.requests()["UpdateInstancePool"] == 1
    assert cause.certainty == ("refused" if cause.status == 429 else "unknown")


def test_a_connection_that_was_never_made_is_known_not_to_have_done_anything(rig: Rig) -> None:
    rig.add_pool("web", size=2)
    away = client(rig, oci_endpoint="http://127.0.0.1:1")
    cause = failure(lambda: away.call(put(rig)))
    assert (cause.code, cause.certainty, cause.status) == ("Unreachable", "not_sent", None)


def test_a_service_that_is_down_is_left_alone_for_a_while(rig: Rig) -> None:
    away = client(rig, oci_endpoint="http://127.0.0.1:1")
    causes = [failure(lambda: away.call(LIST)) for _ in range(3)]
    assert causes[-1].code == "CircuitOpen"
    assert "next" in causes[-1].message or "again in" in causes[-1].message


@pytest.mark.fault(39)
def test_a_share_of_next_to_nothing_holds_metrics_back_and_nothing_waits(rig: Rig) -> None:
    """Whatever central hands out, calls end; pools are still listed and resized."""
    waited: list[float] = []
    around = rig.surroundings()
    metrics = TokenBucket(1e-9, 1, around.monotonic, waited.append)
    made = rig.client(rig.settings, around, metrics=metrics)
    rig.add_pool("web", size=2)
    ask = Call(MONITORING, REGION, "SummarizeMetricsData", "POST", "/metrics", body={})
    assert failure(lambda: made.call(ask)).status == 400, "the first one was sent"
    cause = failure(lambda: made.call(ask))
    assert (cause.code, cause.certainty) == ("HeldBack", "not_sent")
    made.call(LIST)
    assert waited == []


def test_a_409_storm_never_opens_the_breaker(rig: Rig) -> None:
    rig.add_pool("web")
    rig.break_with(rules=[Rule(operation="ListInstancePools", status=409, count=20)])
    shared = client(rig)
    for _ in range(20):
        assert failure(lambda: shared.call(LIST)).status == 409
    shared.call(LIST)


@pytest.mark.fault(20)
def test_a_clock_that_is_wrong_is_named_with_its_skew(rig: Rig) -> None:
    around = rig.surroundings()
    skewed = replace(around, wall=lambda: around.wall() + timedelta(seconds=900))
    rig.break_with(rules=[Rule(operation="ListInstancePools", status=401)])
    cause = failure(lambda: rig.client(rig.settings, skewed).call(LIST))
    assert re.search(r"clock is (899|90[0-5]) s ahead of Oracle's", cause.message)


def test_missing_credentials_are_told_as_one_sentence(rig: Rig) -> None:
    cause = failure(lambda: client(rig, oci_auth=OciAuth("config_file", "/nowhere")).call(LIST))
    assert cause.code == "AuthUnavailable"
    assert "no OCI credentials" in cause.message


def test_an_api_key_works_without_a_config_file(rig: Rig) -> None:
    rig.add_pool("web", size=2)
    auth = OciAuth(
        "api_key",
        tenancy=rig.key.tenancy,
        user=rig.key.user,
        fingerprint=rig.key.fingerprint,
        key_file=str(rig.key.private_key),
    )
    assert len(client(rig, oci_auth=auth).call(LIST).data) == 1
