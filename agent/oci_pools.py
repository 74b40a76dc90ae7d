"""Instance pools over Oracle's Compute Management and Work Requests APIs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.clock import parse_instant
from agent.errors import CallError, Cause
from agent.oci_calls import AUTOSCALING, COMPUTE, Answer, Call, Caller
from agent.pools import Instance, PoolRef, PoolSummary, Versioned, WorkError

_PAGE = 1000
_MAX_PAGES = 50


class OciPools:
    """See `agent.pools.Pools`."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def in_compartment(self, region: str, compartment_id: str) -> Mapping[str, PoolSummary]:
        """See `Pools.in_compartment`. One call for each 1,000 pools (ListInstancePools)."""
        call = Call(
            COMPUTE,
            region,
            "ListInstancePools",
            "GET",
            "/instancePools",
            query={"compartmentId": compartment_id, "limit": _PAGE},
        )
        pools = (_summary(item) for item in self._pages(call))
        return {pool.id: pool for pool in pools if pool.state != "TERMINATED"}

    def get(self, ref: PoolRef) -> Versioned:
        """See `Pools.get` (GetInstancePool)."""
        answer = self._call(ref, "GetInstancePool", f"/instancePools/{ref.id}")
        return Versioned(_summary(answer.data), answer.headers.get("etag", ""))

    def resize(self, ref: PoolRef, to: int, *, etag: str, token: str) -> None:
        """See `Pools.resize` (UpdateInstancePool with nothing but the size)."""
        self._client.call(
            Call(
                COMPUTE,
                ref.region,
                "UpdateInstancePool",
                "PUT",
                f"/instancePools/{ref.id}",
                headers={"if-match": etag, "opc-retry-token": token},
                body={"size": to},
                is_write=True,
            )
        )

    def detach(self, ref: PoolRef, instance_id: str, *, token: str) -> None:
        """See `Pools.detach` (DetachInstancePoolInstance)."""
        self._client.call(
            Call(
                COMPUTE,
                ref.region,
                "DetachInstancePoolInstance",
                "POST",
                f"/instancePools/{ref.id}/actions/detachInstance",
                headers={"opc-retry-token": token},
                body={
                    "instanceId": instance_id,
                    "isDecrementSize": True,
                    "isAutoTerminate": True,
                },
                is_write=True,
            )
        )

    def native_autoscaling(self, region: str, compartment_id: str) -> Mapping[str, str]:
        """See `Pools.native_autoscaling` (ListAutoScalingConfigurations)."""
        call = Call(
            AUTOSCALING,
            region,
            "ListAutoScalingConfigurations",
            "GET",
            "/autoScalingConfigurations",
            query={"compartmentId": compartment_id, "limit": _PAGE},
        )
        return {
            str((item.get("resource") or {}).get("id")): str(item.get("displayName") or item["id"])
            for item in self._pages(call)
            if item.get("isEnabled")
        }

    def members(self, ref: PoolRef) -> tuple[Instance, ...]:
        """See `Pools.members` (ListInstancePoolInstances, every page)."""
        call = Call(
            COMPUTE,
            ref.region,
            "ListInstancePoolInstances",
            "GET",
            f"/instancePools/{ref.id}/instances",
            query={"compartmentId": ref.compartment_id, "limit": _PAGE},
        )
        found = (_instance(item) for item in self._pages(call))
        return tuple(member for member in found if member.state.upper() != "TERMINATED")

    def work_errors(self, ref: PoolRef, since: datetime) -> tuple[WorkError, ...]:
        """See `Pools.work_errors` (ListWorkRequests, then ListWorkRequestErrors of failed ones)."""
        call = Call(
            COMPUTE,
            ref.region,
            "ListWorkRequests",
            "GET",
            "/workRequests",
            query={"compartmentId": ref.compartment_id, "resourceId": ref.id, "limit": 100},
        )
        errors: list[WorkError] = []
        for request in self._pages(call):
            finished = request.get("timeFinished")
            if request.get("status") != "FAILED" or not finished or parse_instant(finished) < since:
                continue
            answer = self._call(
                ref, "ListWorkRequestErrors", f"/workRequests/{request['id']}/errors"
            )
            errors += [
                WorkError(
                    str(e.get("code", "")), str(e.get("message", "")), parse_instant(finished)
                )
                for e in answer.data or []
            ]
        return tuple(sorted(errors, key=lambda error: error.at))

    def _call(self, ref: PoolRef, operation: str, path: str) -> Answer:
        return self._client.call(Call(COMPUTE, ref.region, operation, "GET", path))

    def _pages(self, call: Call) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query = dict(call.query)
        for _ in range(_MAX_PAGES):
            answer = self._client.call(
                Call(call.service, call.region, call.operation, call.method, call.path, query)
            )
            if not isinstance(answer.data, list):
                cause = Cause(
                    call.operation, "the answer is not a list", code="BadAnswer", retry=True
                )
                raise CallError(cause)
            items += answer.data
            page = answer.headers.get("opc-next-page")
            if not page:
                return items
            query["page"] = page
        raise CallError(Cause(call.operation, f"more than {_MAX_PAGES} pages", code="BadAnswer"))


def _summary(item: Mapping[str, Any]) -> PoolSummary:
    try:
        size = int(item["size"])
        active = item.get("currentSize")
        return PoolSummary(
            str(item["id"]),
            size,
            size if active is None else int(active),
            str(item["lifecycleState"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        cause = Cause(
            "InstancePool", f"an answer without usable {error}", code="BadAnswer", retry=True
        )
        raise CallError(cause) from error


def _instance(item: Mapping[str, Any]) -> Instance:
    created = item.get("timeCreated")
    return Instance(
        str(item.get("id", "")),
        str(item.get("state", "")),
        parse_instant(created) if created else None,
    )
