"""`poolkeeper agent check` proves each right, and prints the statement that is missing."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.checking import check_all
from agent.findings import Finding
from simulator.scenario import AutoscalingSpec
from tests.agent.rig import COMPARTMENT, Rig, config_yaml, pool_yaml, wall_now
from tests.prometheus_server import prometheus

PROMETHEUS = "[{name: load, type: target_tracking, source: prometheus, query: sum(up), target: 1}]"


def check(rig: Rig, *pools: str, **settings: object) -> dict[str, Finding]:
    path = rig.home / "config.yaml"
    path.write_text(config_yaml(*(pools or (pool_yaml("web"),))))
    given = replace(rig.settings, config_file=path, **settings)  # type: ignore[arg-type] # by name
    return {finding.what: finding for finding in check_all(given, rig.surroundings())}


def test_everything_is_proven_and_nothing_is_changed(rig: Rig) -> None:
    rig.add_pool("web", size=3)
    found = check(rig)
    assert [finding for finding in found.values() if not finding.is_good] == []
    assert {
        "configuration",
        "clock against OCI",
        "list pools",
        "read metrics",
        "no native autoscaling",
        "pool web, read",
        "pool web, members",
        "pool web, resize",
        "pool web, work requests",
    } <= set(found)
    assert rig.size("web") == 3


MISSING = {
    "ListInstancePools": ("list pools", "read instance-pools"),
    "SummarizeMetricsData": ("read metrics", "read metrics"),
    "GetInstancePool": ("pool web, read", "read instance-pools"),
    "ListInstancePoolInstances": ("pool web, members", "read instance-pools"),
    "UpdateInstancePool": ("pool web, resize", "INSTANCE_POOL_UPDATE"),
    "ListWorkRequests": ("pool web, work requests", "inspect work-requests"),
}


@pytest.mark.parametrize(
    ("operation", "what", "statement"), [(key, *value) for key, value in MISSING.items()]
)
def test_a_missing_permission_is_named_with_its_statement(
    rig: Rig, operation: str, what: str, statement: str
) -> None:
    rig.add_pool("web", size=3)
    rig.break_with(forbidden={operation: 404})
    finding = check(rig)[what]
    assert not finding.is_good
    assert "opc-request-id" in finding.text
    assert statement in finding.cure
    assert COMPARTMENT in finding.cure


@pytest.mark.parametrize(
    ("ahead", "good", "way"),
    [(290, True, "ahead"), (-290, True, "behind"), (601, False, "ahead")],
)
def test_the_clock_is_held_against_ocis(rig: Rig, ahead: int, *, good: bool, way: str) -> None:
    rig.add_pool("web", size=3)
    path = rig.home / "config.yaml"
    path.write_text(config_yaml(pool_yaml("web")))
    off = timedelta(seconds=ahead)
    around = replace(rig.surroundings(), wall=lambda: wall_now() + off)
    given = replace(rig.settings, config_file=path)
    found = {finding.what: finding for finding in check_all(given, around)}
    clock = found["clock against OCI"]
    assert clock.is_good == good
    assert abs(int(clock.text.split()[0]) - abs(ahead)) < 5
    assert way in clock.text
    assert "chronyc" in clock.cure


def test_without_the_right_to_look_for_native_autoscaling_the_rest_is_well(rig: Rig) -> None:
    rig.add_pool("web", size=3)
    rig.break_with(forbidden={"ListAutoScalingConfigurations": 404})
    finding = check(rig)["no native autoscaling"]
    assert finding.is_good
    assert "inspect auto-scaling-configurations" in finding.text


def test_native_autoscaling_is_found_before_the_agent_starts(rig: Rig) -> None:
    rig.add_pool("web")
    rig.world.add_autoscaling(AutoscalingSpec(pool="web"))
    finding = check(rig)["no native autoscaling"]
    assert not finding.is_good
    assert "enabled on web" in finding.text


def test_the_right_to_detach_is_named_where_members_are_protected(rig: Rig) -> None:
    rig.add_pool("web")
    pool = pool_yaml("web", protected="[ocid1.instance.oc1..leader]")
    assert "INSTANCE_POOL_INSTANCE_DETACH" in check(rig, pool)["pool web, detach"].text


def test_prometheus_is_asked_or_missed(rig: Rig) -> None:
    rig.add_pool("web")
    pool = pool_yaml("web", policies=PROMETHEUS)
    assert "POOLKEEPER_PROMETHEUS_URL" in check(rig, pool)["prometheus"].cure
    with prometheus() as server:
        assert check(rig, pool, prometheus_url=server.url)["prometheus"].is_good
        server.broken = 503
        assert not check(rig, pool, prometheus_url=server.url)["prometheus"].is_good


def test_a_bad_file_is_told_with_line_and_column(rig: Rig, tmp_path: Path) -> None:
    found = check(rig, "name: web")
    assert "line " in found["configuration"].text
    assert set(found) == {"configuration"}
