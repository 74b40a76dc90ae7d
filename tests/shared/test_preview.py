"""The preview agrees with a scan of the engine's bounds, minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.config.loader import load
from shared.engine.bounds import bounds_at
from shared.engine.plan import Plan
from shared.preview import change_to_json, changes, clock_changes

YAML = """
version: 1
timezone: Europe/Berlin
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
    compartment_id: ocid1.compartment.oc1..example
    region: eu-frankfurt-1
    limits: {min: 2, max: 20}
schedules:
  - {name: night, days: [fri, sat], start: "22:00", end: "02:30", target_instances: 6}
  - {name: office, days: [mon-fri], start: "08:00", end: "18:00", target_instances: 4,
     ready_early: 5m}
  - {name: lunch, days: [mon-fri], start: "12:00", end: "13:00", target_instances: 9,
     mode: at_most}
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-03-27T00:00+01:00", "2026-03-31T00:00+02:00"),
     ("2026-10-23T00:00+02:00", "2026-10-27T00:00+01:00")],
    ids=["spring", "autumn"],
)  # fmt: skip
def test_it_agrees_with_a_minute_by_minute_scan_over_clock_changes(start: str, end: str) -> None:
    config = load(YAML)
    plan = Plan.of(config, "web")
    entries = list(changes(config, "web", at(start), at(end)))
    scanned: list[tuple[datetime, tuple[int, int, tuple[str, ...]]]] = []
    now = at(start)
    while now <= at(end):
        bounds = bounds_at(plan, now, None)
        if not scanned or scanned[-1][1] != (bounds.floor, bounds.ceiling, bounds.schedules):
            scanned.append((now, (bounds.floor, bounds.ceiling, bounds.schedules)))
        now += timedelta(minutes=1)
    seen = [(e.at, (e.bounds.floor, e.bounds.ceiling, e.bounds.schedules)) for e in entries]
    assert seen == scanned
    assert len(seen) > 8


def test_the_first_entry_is_the_state_at_the_start_even_in_the_middle_of_a_window() -> None:
    first = next(changes(load(YAML), "web", at("2026-03-28T01:00+01:00"), at("2026-03-29T00:00Z")))
    assert change_to_json(first) == {
        "at": "2026-03-28T00:00:00Z",
        "local": "2026-03-28T01:00:00+01:00",
        "timezone": "Europe/Berlin",
        "pool": "web",
        "floor": 6,
        "ceiling": 20,
        "schedules": ["night"],
        "override": None,
        "clock_change": None,
    }


def test_the_entry_after_a_clock_change_is_marked() -> None:
    entries = changes(load(YAML), "web", at("2026-03-28T20:00Z"), at("2026-03-29T12:00Z"))
    marked = [(e.local.isoformat(), e.clock_change) for e in entries if e.clock_change]
    assert marked == [("2026-03-29T03:00:00+02:00", "forward")]


def test_an_end_on_an_edge_includes_it() -> None:
    entries = changes(load(YAML), "web", at("2026-01-05T10:00Z"), at("2026-01-05T17:00Z"))
    assert [(e.at.hour, e.bounds.floor, e.bounds.ceiling) for e in entries] == [
        (10, 4, 20),
        (11, 4, 9),
        (12, 4, 20),
        (17, 2, 20),
    ]


def test_an_override_is_shown_until_it_ends_and_replaces_the_schedules() -> None:
    lease = "{pool: web, target_instances: 10, until: 2026-01-05T09:30:00Z, reason: a test}"
    config = load(f"{YAML}overrides:\n  - {lease}\n")
    entries = changes(config, "web", at("2026-01-05T06:00Z"), at("2026-01-05T10:00Z"))
    assert [(e.bounds.floor, e.bounds.ceiling, e.bounds.override) for e in entries] == [
        (10, 10, "a test"),
        (4, 20, None),
    ]


def test_times_are_shown_in_the_zone_that_all_schedules_share() -> None:
    elsewhere = YAML.replace("days:", "timezone: Asia/Kolkata, days:")
    first = next(changes(load(elsewhere), "web", at("2026-01-05T00:00Z"), at("2026-01-06T00:00Z")))
    assert first.local.isoformat() == "2026-01-05T05:30:00+05:30"


def test_clock_changes_are_found_to_the_second_and_with_odd_shifts() -> None:
    lord_howe = clock_changes(
        "Australia/Lord_Howe", at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")
    )
    assert [(turn.at.isoformat(), turn.by) for turn in lord_howe] == [
        ("2026-04-04T15:00:00+00:00", timedelta(minutes=-30)),
        ("2026-10-03T15:30:00+00:00", timedelta(minutes=30)),
    ]
    assert clock_changes("UTC", at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")) == []
