"""Every answer against the SDK's own models: no field unknown, none required missing, types right.

The models name their fields, types and JSON keys themselves (`swagger_types`, `attribute_map`),
so an SDK update that renames a field fails here.
"""

import inspect
import re
from datetime import datetime, timedelta
from typing import Any

import oci
import pytest

from simulator.scenario import AutoscalingSpec
from tests.oci_world import COMPARTMENT, OciWorld, constant

MODELS = {
    **vars(oci.core.models),
    **vars(oci.work_requests.models),
    **vars(oci.autoscaling.models),
    **vars(oci.monitoring.models),
}
SIMPLE: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "object": (object,),
}


def complaints(value: Any, kind: str, place: str) -> list[str]:
    """Compare a JSON value with the SDK's name of its type."""
    if value is None:
        return []
    if kind.startswith("list["):
        inner = kind[5:-1]
        return [c for n, item in enumerate(value) for c in complaints(item, inner, f"{place}[{n}]")]
    if kind.startswith("dict("):
        inner = kind[5:-1].split(", ", 1)[1]
        return [c for key, item in value.items() for c in complaints(item, inner, f"{place}.{key}")]
    if kind == "datetime":
        return [] if datetime.fromisoformat(value).tzinfo else [f"{place}: {value!r} has no zone"]
    if kind in SIMPLE:
        wrong = not isinstance(value, SIMPLE[kind]) or (kind == "int" and isinstance(value, bool))
        return [f"{place}: {value!r} is no {kind}"] if wrong else []
    return model_complaints(value, MODELS[kind], place)


def model_complaints(value: dict[str, Any], base: Any, place: str) -> list[str]:
    model = subtype(base, value)
    empty = model()
    keys = {json_key: name for name, json_key in empty.attribute_map.items()}
    found = [f"{place}.{key}: not in {model.__name__}" for key in value if key not in keys]
    found += [
        f"{place}.{name}: required by {model.__name__}"
        for name in required(model)
        if value.get(empty.attribute_map[name]) is None
    ]
    for key, item in value.items():
        if key in keys:
            found += complaints(item, empty.swagger_types[keys[key]], f"{place}.{key}")
    return found


def subtype(base: Any, value: dict[str, Any]) -> Any:
    return MODELS[base.get_subtype(value)] if hasattr(base, "get_subtype") else base


def required(model: Any) -> list[str]:
    """The docstrings of the setters say which attributes are required."""
    return [
        name
        for name, member in inspect.getmembers(model, lambda m: isinstance(m, property))
        if re.search(r"\*\*\[Required\]\*\* Gets", inspect.getdoc(member) or "")
    ]


def raw(client: Any, method: str, path: str, **options: Any) -> Any:
    """The JSON of an answer, before the SDK turns it into a model that drops what it ignores."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    return client.base_client.call_api(
        path, method, header_params=headers, response_type="object", **options
    ).data


@pytest.fixture
def busy(tenancy: OciWorld) -> OciWorld:
    """A tenancy in which every kind of thing exists, in every state that can be reached."""
    pool = tenancy.add_pool(size=3, demand=constant(100), freeform_tags={"team": "shop"})
    tenancy.add_pool("stopped", size=2).stop(tenancy.world.now())
    tenancy.add_pool("gone", size=1).terminate(tenancy.world.now())
    tenancy.add_pool("new", size=1, provisioning=True)
    tenancy.world.add_autoscaling(AutoscalingSpec(pool="web"))
    tenancy.break_with(shortages={"web": {"instances": 4}})
    tenancy.resize(pool, 6)
    tenancy.world.advance(100)
    return tenancy


def test_every_answer_fits_the_models_of_the_sdk(busy: OciWorld) -> None:
    pool = busy.world.pool("web")
    (request,) = pool.work_requests
    scope = {"compartmentId": COMPARTMENT}
    query = {
        "namespace": "oci_computeagent",
        "query": "CpuUtilization[1m].mean()",
        "startTime": (busy.world.now() - timedelta(minutes=5)).isoformat(),
    }
    post = {
        "metricData": [
            {
                "namespace": "oci_reserved",
                "name": "x",
                "compartmentId": COMPARTMENT,
                "dimensions": {"a": "b"},
                "datapoints": [{"timestamp": busy.world.now().isoformat(), "value": 1}],
            }
        ]
    }
    one_pool = f"/instancePools/{pool.id}"
    one_member = f"{one_pool}/instances/{pool.members[0].id}"
    one_request = f"/workRequests/{request.id}"
    cases: list[tuple[Any, str, str, dict[str, Any], str]] = [
        (busy.compute, "GET", "/instancePools", scope, "list[InstancePoolSummary]"),
        (busy.compute, "GET", one_pool, {}, "InstancePool"),
        (busy.compute, "GET", f"{one_pool}/instances", scope, "list[InstanceSummary]"),
        (busy.compute, "GET", one_member, {}, "InstancePoolInstance"),
        (busy.work, "GET", "/workRequests", scope, "list[WorkRequestSummary]"),
        (busy.work, "GET", one_request, {}, "WorkRequest"),
        (busy.work, "GET", f"{one_request}/errors", {}, "list[WorkRequestError]"),
        (
            busy.autoscaling,
            "GET",
            "/autoScalingConfigurations",
            scope,
            "list[AutoScalingConfigurationSummary]",
        ),
    ]
    for client, method, path, parameters, kind in cases:
        answer = raw(client, method, path, query_params=parameters)
        assert answer, f"{path} has something to check"
        assert complaints(answer, kind, path) == []
    action = "/metrics/actions/summarizeMetricsData"
    metrics = raw(busy.monitoring, "POST", action, query_params=scope, body=query)
    assert metrics
    assert complaints(metrics, "list[MetricData]", "metrics") == []
    action = "/metrics/actions/listMetrics"
    names = raw(busy.monitoring, "POST", action, query_params=scope, body={})
    assert names
    assert complaints(names, "list[Metric]", "names") == []
    posted = raw(busy.monitoring, "POST", "/metrics", body=post)
    assert posted["failedMetricsCount"] == 1
    assert complaints(posted, "PostMetricDataResponseDetails", "post") == []


def test_states_are_those_that_the_sdk_knows(busy: OciWorld) -> None:
    states = {p.lifecycle_state for p in busy.compute.list_instance_pools(COMPARTMENT).data}
    assert states == {"SCALING", "STOPPED", "TERMINATED", "RUNNING"}
    members = busy.compute.list_instance_pool_instances(
        COMPARTMENT, busy.world.pool("stopped").id
    ).data
    assert {m.state for m in members} == {"Stopped"}


def test_the_checker_itself_finds_what_is_wrong() -> None:
    bad = {"id": 7, "size": "3", "timeCreated": "2026-01-01T00:00:00", "colour": "red"}
    found = complaints(bad, "InstancePool", "pool")
    for part in ("id: 7 is no str", "size: '3' is no int", "no zone", "colour: not in"):
        assert any(part in complaint for complaint in found)
    assert "pool.placement_configurations: required by InstancePool" in found
