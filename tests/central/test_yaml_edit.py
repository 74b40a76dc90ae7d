"""Edits of a configuration: what is meant changes, every other byte stays."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.yaml_edit import (
    add_schedule,
    edited,
    end_override,
    put_override,
    set_limits,
    set_mode,
    set_schedule_active,
    set_value,
    unified,
    unset_value,
)
from central.yaml_text import EditError
from shared.config.loader import load
from shared.wire_edits import PutOverride, RemoveSchedule, SetValue, Unset

EXAMPLE = Path("config.example.yaml").read_text(encoding="utf-8")
ODD = """\
# ümläut: the parser counts characters, not bytes
version: 1
pools:
- name: web   # first
  instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
  compartment_id: ocid1.compartment.oc1..demo
  region: eu-frankfurt-1
  limits: { min: 2,  max: 20 }   # hello
  policies:
      - {name: cpu,   type: target_tracking, metric: CpuUtilization, target: 60}
- name: batch.eu
  instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.batch
  compartment_id: ocid1.compartment.oc1..demo
  region: 'eu-frankfurt-1'
  limits:
     max: 5
schedules:
    -   name:   nights
        start:  "22:00"
        end:    "06:00"
        target_instances: 3
        days: [mon-fri,
               sat]
"""
CPU_POLICY = (
    "+      - {name: cpu,   type: target_tracking, metric: CpuUtilization, statistic: max,"
    " target: 60}"
)
UNTIL = datetime(2026, 12, 1, 12, tzinfo=UTC)


def override(pool: str = "web", size: int = 6, reason: str = "load test") -> PutOverride:
    return PutOverride(pool=pool, target_instances=size, until=UNTIL, reason=reason)


def changes(before: str, after: str) -> list[str]:
    """The lines that went and came."""
    load(after)
    lines = unified("n1", before, after).splitlines()[2:]
    return [line for line in lines if line[0] in "+-"]


CASES: dict[str, tuple[str, str, object, list[str]]] = {
    "a value in a flow mapping": (
        ODD,
        "pools.web.limits.max",
        30,
        ["-  limits: { min: 2,  max: 20 }   # hello", "+  limits: { min: 2,  max: 30 }   # hello"],
    ),
    "a value in a block mapping": (
        ODD,
        "pools[batch.eu].limits.max",
        6,
        ["-     max: 5", "+     max: 6"],
    ),
    "a new key where the documentation has it": (
        ODD,
        "pools.web.mode",
        "paused",
        ["+  mode: paused"],
    ),
    "a new key in a flow mapping": (
        ODD,
        "pools.web.policies.cpu.statistic",
        "max",
        [
            "-      - {name: cpu,   type: target_tracking, metric: CpuUtilization, target: 60}",
            CPU_POLICY,
        ],
    ),
    "a new key of a mapping that is not there": (
        ODD,
        "pools.web.cooldown.scale_in",
        "10m",
        ["+  cooldown: {scale_in: 10m}"],
    ),
    "a key at the top": (ODD, "timezone", "Europe/Berlin", ["+timezone: Europe/Berlin"]),
    "every pool": (
        ODD,
        "pools.*.limits.max",
        40,
        [
            "-  limits: { min: 2,  max: 20 }   # hello",
            "+  limits: { min: 2,  max: 40 }   # hello",
            "-     max: 5",
            "+     max: 40",
        ],
    ),
    "a pattern that fits nothing": (ODD, "pools.db*.mode", "paused", []),
    "what is so already": (ODD, "pools.web.limits.max", 20, []),
    "what the defaults say already": (EXAMPLE, "pools.*.stale_after", "6m", []),
    "a mapping over a block": (
        ODD,
        "pools[batch.eu].limits",
        {"min": 1, "max": 3},
        ["-     max: 5", "+       {min: 1, max: 3}"],
    ),
    "a list over a list of several lines": (
        ODD,
        "schedules.nights.days",
        ["mon-fri"],
        ["-        days: [mon-fri,", "-               sat]", "+        days: [mon-fri]"],
    ),
    "a schedule": (ODD, "schedules.nights.active", False, ["+        active: false"]),
    "text that looks like a number": (
        ODD,
        "schedules.nights.start",
        "08:00",
        ['-        start:  "22:00"', '+        start:  "08:00"'],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_is_set_and_nothing_else(name: str) -> None:
    text, path, value, expected = CASES[name]
    assert changes(text, set_value(text, path, value)) == expected


REFUSED = {
    "pools.db.mode": "there is no pool 'db'",
    "pools.web.policies.ram.target": "there is no policy 'ram' in pools[0]",
    "schedules.days.active": "there is no schedule 'days'",
    "pools.web": "pools[0] is a whole entry: name a key inside of it",
    "pools.web.name": "names nothing that can be set",
    "pools.*.instance_pool_id": "names nothing that can be set",
    "version": "names nothing that can be set",
    "pools..mode]": "names nothing that can be set",
    "timezone.x": "timezone is not a mapping",
    "pools.web.region.x": "pools[0].region is not a mapping",
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_names_nothing_is_refused(path: str) -> None:
    text = set_value(ODD, "timezone", "UTC")
    with pytest.raises(EditError, match=REFUSED[path].replace("[", r"\[")):
        set_value(text, path, "x")


def test_a_key_can_be_taken_away() -> None:
    assert changes(ODD, unset_value(ODD, "pools.web.limits.min")) == [
        "-  limits: { min: 2,  max: 20 }   # hello",
        "+  limits: { max: 20 }   # hello",
    ]
    assert changes(ODD, unset_value(ODD, "pools[batch.eu].limits.max")) == [
        "-  limits:",
        "-     max: 5",
    ]
    assert unset_value(ODD, "pools.*.mode") == ODD


def test_limits_and_mode_of_one_pool() -> None:
    text = set_mode(set_limits(ODD, "web", 3, None), "web", "observe")
    pool = load(text).pools[0]
    assert (pool.limits.min, pool.limits.max, pool.mode) == (3, 20, "observe")


def test_an_override_is_added_replaced_and_ended() -> None:
    first = put_override(ODD, override())
    line = (
        '  - {pool: web, target_instances: 6, until: "2026-12-01T12:00:00Z", reason: "load test"}'
    )
    assert changes(ODD, first) == ["+overrides:", f"+{line}"]
    second = put_override(first, override(size=7, reason="a: b # c"))
    assert len(changes(first, second)) == 2
    assert load(second).overrides[0].reason == "a: b # c"
    both = put_override(second, override("batch.eu", 2))
    assert [one.pool for one in load(both).overrides] == ["web", "batch.eu"]
    assert end_override(both, "batch.eu") == second
    assert end_override(first, "web") == ODD
    with pytest.raises(EditError, match="there is no override 'web'"):
        end_override(ODD, "web")
    with pytest.raises(EditError, match="there is no pool 'db'"):
        put_override(ODD, override("db"))


def test_an_override_joins_those_of_a_file_in_their_style() -> None:
    text = put_override(EXAMPLE, override("batch", 4))
    assert len(changes(EXAMPLE, text)) == 1
    flow = ODD + "overrides: []\n"
    assert "overrides: [{pool: web," in put_override(flow, override())


def test_a_schedule_is_added_suspended_resumed_and_removed() -> None:
    new = {
        "name": "office",
        "pools": ["web"],
        "days": ["mon-fri"],
        "start": "08:00",
        "end": "18:00",
        "target_instances": 6,
    }
    text = add_schedule(ODD, new)
    assert changes(ODD, text) == [
        "+    - name: office",
        "+      pools: [web]",
        "+      days: [mon-fri]",
        '+      start: "08:00"',
        '+      end: "18:00"',
        "+      target_instances: 6",
    ]
    suspended = set_schedule_active(text, "office", active=False)
    assert not load(suspended).schedules[1].active
    assert load(set_schedule_active(suspended, "office", active=True)).schedules[1].active
    assert edited(text, [RemoveSchedule(schedule="office")]) == ODD
    with pytest.raises(EditError, match="there is a schedule 'office' already"):
        add_schedule(text, new)
    alone = edited(ODD, [RemoveSchedule(schedule="nights")])
    assert "schedules" not in alone
    assert load(add_schedule(alone, new)).schedules[0].name == "office"


def test_edits_follow_each_other() -> None:
    done = edited(
        ODD, [SetValue(path="pools.*.mode", value="paused"), Unset(path="pools.web.mode")]
    )
    assert [pool.mode for pool in load(done).pools] == ["active", "paused"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_are_kept(newline: str, bom: str) -> None:
    text = bom + ODD.replace("\n", newline)
    done = set_mode(text, "batch.eu", "paused")
    assert done == text.replace(
        f"  region: 'eu-frankfurt-1'{newline}",
        f"  region: 'eu-frankfurt-1'{newline}  mode: paused{newline}",
    )


def test_a_file_without_a_last_line_end() -> None:
    text = ODD.rstrip("\n")
    assert add_schedule(text, {"name": "x"}) == text + "\n    - {name: x}"
    assert end_override(put_override(text, override()), "web") == text + "\n"


def test_a_file_in_one_line() -> None:
    text = (
        "{version: 1, pools: [{name: web, instance_pool_id: ocid1.instancepool.oc1..a,"
        " compartment_id: ocid1.compartment.oc1..a, region: eu-frankfurt-1}]}"
    )
    done = put_override(set_limits(text, "web", None, 12), override())
    assert load(done).pools[0].limits.max == 12
    assert load(done).overrides[0].target_instances == 6
    assert end_override(done, "web") == set_limits(text, "web", None, 12)


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=60).filter(lambda t: t.isprintable() and t.strip()))
def test_any_reason_survives(reason: str) -> None:
    text = put_override(ODD, override(reason=reason))
    assert load(text).overrides[0].reason == reason


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([ODD, EXAMPLE, ODD.replace("\n", "\r\n")]),
    st.sampled_from(
        ["pools.*.limits.min", "pools.*.warmup", "pools.*.policies.*.target", "schedules.*.active",
         "defaults.limits.max", "pools.*.stabilization.scale_in", "poll_interval"]
    ),
    st.one_of(st.integers(0, 99), st.booleans(), st.text(max_size=20), st.just({"a": [1, "b"]})),
)  # fmt: skip
def test_an_edit_is_exact_or_refused(text: str, path: str, value: object) -> None:
    """Whatever is set, all other lines stay, in their order."""
    try:
        after = set_value(text, path, value)
    except EditError:
        return
    kept = [line for line in unified("x", text, after).splitlines()[2:] if line[0] == "-"]
    assert len(kept) <= 4
