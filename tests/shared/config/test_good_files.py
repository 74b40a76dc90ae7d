"""What a file means: words, units, defaults, places."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from shared.config.hashing import config_hash
from shared.config.loader import load, load_document
from shared.config.models import AtLeast
from shared.config.policy_models import Step, TargetTracking
from shared.config.problems import ConfigError
from shared.config.units import parse_amount
from tests.config_texts import HEAD, override, policy, pool, schedule

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"


def test_the_smallest_file() -> None:
    config = load("version: 1\npools: []\n")
    assert (config.timezone, config.poll_interval) == ("UTC", timedelta(seconds=30))


def test_a_pool_has_the_defaults_of_the_models() -> None:
    (web,) = load(HEAD).pools
    assert (web.limits.min, web.limits.max, web.mode) == (1, 10, "active")
    assert web.policies == []
    assert (web.stabilization.scale_out, web.stabilization.scale_in) == (
        timedelta(0),
        timedelta(minutes=5),
    )
    assert (web.cooldown.scale_out, web.cooldown.scale_in) == (
        timedelta(minutes=1),
        timedelta(minutes=5),
    )
    assert (web.max_step.scale_out, web.max_step.scale_in) == (
        parse_amount("100%"),
        parse_amount("50%"),
    )
    assert (web.warmup, web.metric_lag, web.stale_after) == (
        timedelta(minutes=1),
        timedelta(minutes=2),
        timedelta(minutes=6),
    )
    assert web.on_missing_metrics == "hold"


def test_the_example_holds_every_kind_of_entry() -> None:
    config = load(EXAMPLE.read_bytes())
    web, batch = config.pools
    cpu, memory, backlog = web.policies
    assert isinstance(cpu, TargetTracking)
    assert cpu.tolerance.out == Fraction(1, 10)
    assert isinstance(memory, Step)
    assert memory.scale_out is not None
    assert [str(step.add) for step in memory.scale_out.steps] == ["2", "50%"]
    assert backlog.effective_interval == timedelta(minutes=1)
    assert batch.region == "eu-frankfurt-1"
    assert batch.on_missing_metrics == AtLeast(at_least=1)
    office, night = config.schedules
    assert (office.start, office.end) == (8 * 60, 18 * 60)
    assert office.except_[0] == date(2026, 12, 25)
    assert (config.zone_of(office), config.zone_of(night)) == ("Europe/Berlin", "UTC")
    assert night.duration_minutes == 8 * 60
    assert config.overrides[0].until == datetime(2030, 12, 1, 12, tzinfo=UTC)


YAML_1_1_TRAPS = {
    "08:00 is a time, not 480 minutes": ("start: 08:00, end: 18:00", 8 * 60, 18 * 60),
    "quotes around it change nothing": ("start: \"08:00\", end: '18:00'", 8 * 60, 18 * 60),
    "00:00 to 24:00 is a day": ("start: 00:00, end: 24:00", 0, 24 * 60),
}


@pytest.mark.parametrize(
    ("times", "start", "end"), YAML_1_1_TRAPS.values(), ids=YAML_1_1_TRAPS.keys()
)
def test_times_of_day(times: str, start: int, end: int) -> None:
    (entry,) = load(schedule(f"name: s, {times}, target_instances: 2")).schedules
    assert (entry.start, entry.end) == (start, end)


def test_off_no_and_yes_are_names_like_any_other() -> None:
    for word in ("off", "no", "yes", "on", "y", "NO"):
        assert load(HEAD.replace("name: web", f"name: {word}")).pools[0].name == word


def test_true_and_false_are_the_truth_values_of_yaml_1_2() -> None:
    for word, value in (("true", True), ("False", False), ("TRUE", True)):
        text = f"name: s, start: 08:00, end: 09:00, target_instances: 2, active: {word}"
        assert load(schedule(text)).schedules[0].active is value


def test_thresholds_are_exact_decimals() -> None:
    text = policy("name: a, type: target_tracking, metric: M, target: 0.1, tolerance: {out: 12.5%}")
    (entry,) = load(text).pools[0].policies
    assert isinstance(entry, TargetTracking)
    assert entry.target == Fraction(1, 10)
    assert entry.tolerance.out == Fraction(1, 8)
    assert entry.tolerance.in_ == Fraction(1, 10)


def test_days_may_be_ranges_that_wrap_in_any_case() -> None:
    def days(text: str) -> frozenset[int]:
        return (
            load(schedule(f"name: s, start: 08:00, end: 09:00, target_instances: 2, days: {text}"))
            .schedules[0]
            .days
        )

    assert days("[mon-fri]") == {0, 1, 2, 3, 4}
    assert days("[sat-mon]") == {5, 6, 0}
    assert days("[Sat, SUN]") == {5, 6}
    assert days("mon-sun") == set(range(7))


def test_defaults_merge_deeply_and_lists_are_replaced() -> None:
    text = """\
version: 1
defaults:
  compartment_id: ocid1.compartment.oc1..c
  region: eu-frankfurt-1
  limits: {min: 2, max: 8}
  cooldown: {scale_in: 10m}
  policies: [{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}]
  on_missing_metrics: {at_least: 3}
pools:
  - {name: a, instance_pool_id: ocid1.instancepool.oc1..a}
  - name: b
    instance_pool_id: ocid1.instancepool.oc1..b
    limits: {max: 20}
    policies: []
    region: us-ashburn-1
    on_missing_metrics: hold
"""
    a, b = load(text).pools
    assert (a.limits.min, a.limits.max, len(a.policies)) == (2, 8, 1)
    assert (b.limits.min, b.limits.max, len(b.policies)) == (2, 20, 0)
    assert (a.region, b.region) == ("eu-frankfurt-1", "us-ashburn-1")
    assert a.cooldown.scale_in == b.cooldown.scale_in == timedelta(minutes=10)
    assert a.cooldown.scale_out == timedelta(minutes=1)
    assert a.on_missing_metrics == AtLeast(at_least=3)
    assert b.on_missing_metrics == "hold"


def test_targets_may_lie_on_the_edges_of_the_limits() -> None:
    text = pool("limits: {min: 2, max: 5}") + (
        "schedules:\n"
        "  - {name: low, start: 08:00, end: 09:00, target_instances: 2}\n"
        "  - {name: high, start: 08:00, end: 09:00, target_instances: 5}\n"
        "overrides:\n"
        "  - {pool: web, target_instances: 5, until: 2026-12-01T13:00:00+01:00, reason: x}\n"
    )
    config = load(text)
    assert [entry.target_instances for entry in config.schedules_of("web")] == [2, 5]
    assert config.overrides_of("web")[0].until == datetime(2026, 12, 1, 12, tzinfo=UTC)


def test_a_schedule_without_pools_concerns_all_and_one_with_pools_only_those() -> None:
    other = HEAD.removeprefix("version: 1\npools:\n").replace("web", "api")
    config = load(
        HEAD
        + other
        + "schedules:\n"
        + "  - {name: all, start: 08:00, end: 09:00, target_instances: 2}\n"
        + "  - {name: one, start: 08:00, end: 09:00, target_instances: 2, pools: [api]}\n"
    )
    assert [entry.name for entry in config.schedules_of("web")] == ["all"]
    assert [entry.name for entry in config.schedules_of("api")] == ["all", "one"]
    assert config.pool("api") is config.pools[1]
    assert config.pool("nobody") is None


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = "\ufeffversion: 1\r\npools: []\r\n"
    assert load(text) == load(text.encode()) == load("version: 1\npools: []\n")


def test_the_hash_is_over_the_exact_bytes_as_they_were_read() -> None:
    text = "\ufeffversion: 1\r\npools: []  # ä\r\n"
    document = load_document(text.encode())
    assert document.text == text
    assert document.hash == config_hash(text) == load_document(text).hash


def test_a_document_knows_where_its_values_stand() -> None:
    document = load_document(pool("limits: {min: 2, max: 5}"))
    problem = document.places.problem(("pools", 0, "limits", "max"), "here")
    assert (problem.line, problem.column, problem.path) == (7, 27, "pools[0].limits.max")
    default = document.places.problem(("pools", 0, "cooldown", "scale_in"), "not written")
    assert (default.line, default.column) == (3, 5)
    assert document.places.has(("pools", 0, "limits"))
    assert not document.places.has(("pools", 0, "cooldown"))


def test_what_the_models_print_can_be_read_again() -> None:
    for text in (EXAMPLE.read_text(), HEAD, pool("max_step: {scale_in: 3, scale_out: 12.5%}")):
        config = load(text)
        printed = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert load(yaml.safe_dump(printed)) == config


INSTANTS = {
    "2026-12-01T12:00:00Z": datetime(2026, 12, 1, 12, tzinfo=UTC),
    "2026-12-01 12:00Z": datetime(2026, 12, 1, 12, tzinfo=UTC),
    "2026-12-01T12:00:00.5+00:00": datetime(2026, 12, 1, 12, 0, 0, 500_000, tzinfo=UTC),
    "2026-12-01T12:00:00-05:30": datetime(2026, 12, 1, 17, 30, tzinfo=UTC),
}


@pytest.mark.parametrize(("text", "instant"), INSTANTS.items())
def test_instants_carry_their_zone(text: str, instant: datetime) -> None:
    entry = f"pool: web, target_instances: 3, until: {text}, reason: x"
    assert load(override(entry)).overrides[0].until == instant


NO_INSTANTS = [
    "2026-12-01",
    "2026-12-01T12:00:00",
    "20261201T120000Z",
    "2026-12-01T12:00:00+25:00",
    "2026-12-01T24:01:00Z",
    "1999-12-31T00:00:00Z",
    "2200-01-01T00:00:00Z",
    "now",
    "0",
]


@pytest.mark.parametrize("text", NO_INSTANTS)
def test_other_instants_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be an instant with its zone"):
        load(override(f"pool: web, target_instances: 3, until: {text}, reason: x"))


def test_a_block_of_text_and_a_document_start_are_plain_yaml() -> None:
    text = (
        "---\n"
        + HEAD
        + (
            "overrides:\n  - pool: web\n    target_instances: 3\n    until: 2026-12-01T12:00:00Z\n"
            "    reason: |\n      two\n      lines\n"
        )
    )
    assert load(text).overrides[0].reason == "two\nlines\n"
