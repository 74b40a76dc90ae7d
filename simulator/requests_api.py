"""Work requests (API 20160918) and native autoscaling configurations (API 20181001).

Fields: SDK 2.189 work_requests/models, autoscaling/models/auto_scaling_configuration_summary.py.
"""

from simulator.calls import Call
from simulator.errors import not_found
from simulator.replies import Reply, page, timestamp
from simulator.work_requests import WorkRequest


def list_work_requests(call: Call) -> Reply:
    """ListWorkRequests: newest first, of one compartment, perhaps of one resource."""
    compartment = call.compartment()
    resource = call.query.get("resourceId")
    found = [
        request
        for request in _visible(call)
        if request.compartment_id == compartment and resource in (None, request.pool_id)
    ]
    found.sort(key=lambda request: request.accepted_at, reverse=True)
    shown, headers = page(found, call.query)
    return Reply([_summary(call, request) for request in shown], headers=headers)


def get_work_request(call: Call) -> Reply:
    """GetWorkRequest: the summary and the resources that it touches."""
    request = _find(call)
    status = request.status(call.now)
    action = "UPDATED" if status == "SUCCEEDED" else "IN_PROGRESS"
    resource = {
        "actionType": "FAILED" if status == "FAILED" else action,
        "entityType": "instancePool",
        "identifier": request.pool_id,
        "entityUri": f"/instancePools/{request.pool_id}",
    }
    return Reply(_summary(call, request) | {"resources": [resource]})


def list_work_request_errors(call: Call) -> Reply:
    """ListWorkRequestErrors: empty until it failed."""
    request = _find(call)
    errors = []
    if request.failure and request.finished(call.now):
        errors.append(
            {
                "code": request.failure.code,
                "message": request.failure.message,
                "timestamp": timestamp(request.finishes_at),
            }
        )
    shown, headers = page(errors, call.query)
    return Reply(shown, headers=headers)


def list_auto_scaling_configurations(call: Call) -> Reply:
    """ListAutoScalingConfigurations: what somebody registered through the admin API."""
    compartment = call.compartment()
    found = [
        {
            "id": entry.id,
            "compartmentId": entry.compartment_id,
            "displayName": entry.spec.display_name,
            "coolDownInSeconds": entry.spec.cool_down_in_seconds,
            "isEnabled": entry.spec.is_enabled,
            "resource": {"type": "instancePool", "id": entry.pool_id},
            "freeformTags": {},
            "definedTags": {},
            "timeCreated": timestamp(entry.created_at),
        }
        for entry in call.world.autoscaling
        if entry.compartment_id == compartment
        and not call.elsewhere(call.world.pools[entry.pool_id].region)
    ]
    shown, headers = page(found, call.query)
    return Reply(shown, headers=headers)


def _visible(call: Call) -> list[WorkRequest]:
    return [
        request
        for pool in call.world.pools.values()
        for request in pool.work_requests
        if request.listed(call.now) and not call.elsewhere(pool.region)
    ]


def _find(call: Call) -> WorkRequest:
    for request in _visible(call):
        if request.id == call.path["workRequestId"]:
            return request
    raise not_found()


def _summary(call: Call, request: WorkRequest) -> dict[str, object]:
    finished = request.finished(call.now)
    return {
        "id": request.id,
        "operationType": request.operation,
        "status": request.status(call.now),
        "compartmentId": request.compartment_id,
        "percentComplete": request.percent(call.now),
        "timeAccepted": timestamp(request.accepted_at),
        "timeStarted": timestamp(request.started_at(call.now)),
        "timeFinished": timestamp(request.finishes_at if finished else None),
    }
