"""Every lint speaks on one side of its edge and is silent on the other."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.config.lints import lint
from shared.config.loader import load_document
from tests.config_texts import HEAD, pool

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CPU = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}"
QUEUE = (
    "{name: q, type: target_tracking, metric: Jobs, namespace: app, per_instance: true, target: 5}"
)


def web(*lines: str, policies: str = CPU) -> str:
    """A pool without lints and more lines of it."""
    return pool(f"policies: [{policies}]", *lines)


def step(text: str, *lines: str) -> str:
    return web(*lines, policies=f"{{name: s, type: step, {text}}}")


def ladder(out: str = "", inside: str = "", duration: str = "2m") -> str:
    """A step policy on CPU with the given rungs of both ladders."""
    ladders = [
        f"{key}: {{for: {duration}, steps: [{rungs}]}}"
        for key, rungs in (("scale_out", out), ("scale_in", inside))
        if rungs
    ]
    return f"metric: CpuUtilization, {', '.join(ladders)}"


def scheduled(*entries: str, policies: str = CPU, zone: str = "Europe/Berlin") -> str:
    lines = "".join(f"  - {{{entry}}}\n" for entry in entries)
    return web(policies=policies) + f"timezone: {zone}\nschedules:\n{lines}"


def day(rest: str = "", name: str = "s", target: int = 3) -> str:
    """A schedule from 08:00 to 18:00."""
    return (
        f"name: {name}, start: 08:00, end: 18:00, target_instances: {target}{rest and ', '}{rest}"
    )


def override(until: str) -> str:
    return f"overrides:\n  - {{pool: web, target_instances: 3, until: {until}, reason: x}}\n"


OTHER = HEAD.removeprefix("version: 1\npools:\n").replace("name: web", "name: api")

SPEAKS: dict[str, tuple[str, str, str]] = {
    "a file without pools": ("version: 1\npools: []\n", "pools", "there are no pools"),
    "a pool that nothing sizes": (HEAD, "pools[0]", "its size never changes"),
    "a pool with a suspended schedule only": (
        HEAD + f"schedules:\n  - {{{day('active: false')}}}\n",
        "pools[0]",
        "its size never changes",
    ),
    "two pools with one OCID": (
        web() + OTHER + f"    policies: [{CPU}]\n",
        "pools[1].instance_pool_id",
        "pool 'web' has the same OCID",
    ),
    "a region that the OCID contradicts": (
        web().replace("oc1..web", "oc1.us-phoenix-1.web"),
        "pools[0].region",
        "the OCID of the pool says us-phoenix-1",
    ),
    "min equal to max": (web("limits: {min: 3, max: 3}"), "pools[0].limits", "are both 3"),
    "min 0 with utilisation only": (
        web("limits: {min: 0}"),
        "pools[0].limits.min",
        "nothing can bring the pool back from 0",
    ),
    "min 0 with a ceiling only": (
        web("limits: {min: 0}") + f"schedules:\n  - {{{day('mode: at_most')}}}\n",
        "pools[0].limits.min",
        "nothing can bring the pool back from 0",
    ),
    "a cooldown shorter than the warm-up": (
        web("cooldown: {scale_in: 59s}"),
        "pools[0].cooldown.scale_in",
        "cooldown.scale_in (59s) is shorter than warmup (1m)",
    ),
    "a stabilization window of less than one look": (
        web("stabilization: {scale_out: 29s}"),
        "pools[0].stabilization.scale_out",
        "shorter than poll_interval (30s)",
    ),
    "stale before a window can be trusted": (
        web("stale_after: 179s"),
        "pools[0].stale_after",
        "shorter than metric_lag and one metric window (3m)",
    ),
    "a demand window of one value": (
        web(
            policies="{name: a, type: target_tracking, metric: M, interval: 5m, target: 1,"
            " demand: {percentile: 90, window: 599s}}"
        ),
        "pools[0].policies[0].demand.window",
        "a percentile of one value is that value",
    ),
    "a target above 100 %": (
        web(policies=CPU.replace("60", "101")),
        "pools[0].policies[0].target",
        "it ends at 100",
    ),
    "a target as a share": (
        web(policies=CPU.replace("60", "0.6")),
        "pools[0].policies[0].target",
        "60 means 60 %",
    ),
    "a percentage divided over the instances": (
        web(policies=CPU.replace("60", "60, per_instance: true")),
        "pools[0].policies[0].per_instance",
        "not a total",
    ),
    "headroom that fills the pool": (
        web("limits: {max: 5}", policies=CPU.replace("60", "60, headroom: 5")),
        "pools[0].policies[0].headroom",
        "at its largest, 5",
    ),
    "a threshold that is never passed": (
        step(ladder("{above: 100, add: 1}")),
        "pools[0].policies[0].scale_out.steps[0].above",
        "it ends at 100",
    ),
    "a threshold as a share": (
        step(ladder(inside="{below: 0.3, remove: 1}")),
        "pools[0].policies[0].scale_in.steps[0].below",
        "60 means 60 %",
    ),
    "a scale-in that scale-out would undo": (
        step(ladder("{above: 80, add: 1}", "{below: 41, remove: 1}")),
        "pools[0].policies[0].scale_in.steps[0].below",
        "just below 41 on 2 instances is 82 on 1, which scale_out above 80 would undo; 40 or less",
    ),
    "a scale-in that the scale-out of another policy would undo": (
        web(
            policies=f"{{name: up, type: step, {ladder('{above: 80, add: 1}')}}},"
            f" {{name: down, type: step, {ladder(inside='{below: 41, remove: 1}')}}}"
        ),
        "pools[0].policies[1].scale_in.steps[0].below",
        "which scale_out above 80 would undo",
    ),
    "a run shorter than a metric window": (
        step(ladder("{above: 80, add: 1}", duration="59s")),
        "pools[0].policies[0].scale_out.for",
        "shorter than one metric window (1m)",
    ),
    "a step beyond max_step": (
        step(ladder("{above: 80, add: 3}"), "max_step: {scale_out: 2}"),
        "pools[0].policies[0].scale_out.steps[0].add",
        "scale_out is limited to 2 by max_step",
    ),
    "a farther step that adds less": (
        step(ladder("{above: 80, add: 2}, {above: 90, add: 1}")),
        "pools[0].policies[0].scale_out.steps[1].add",
        "a nearer step does more",
    ),
    "a farther step that removes less": (
        step(ladder(inside="{below: 10, remove: 1}, {below: 20, remove: 2}")),
        "pools[0].policies[0].scale_in.steps[0].remove",
        "a nearer step does more",
    ),
    "a suspended schedule": (
        scheduled(day("active: false")),
        "schedules[0]",
        "never opens: active is false",
    ),
    "a schedule without a matching day": (
        scheduled(day("days: [sun], from: 2026-06-01, until: 2026-06-06")),
        "schedules[0]",
        "never opens: none of its days lies between from and until",
    ),
    "a schedule whose dates are all left out": (
        scheduled(day("from: 2026-06-01, until: 2026-06-02, except: [2026-06-01, 2026-06-02]")),
        "schedules[0]",
        "never opens: all its dates are left out by `except`",
    ),
    "a schedule that has ended": (
        scheduled(day("until: 2026-05-29")),
        "schedules[0]",
        "never opens: it ended on 2026-05-29",
    ),
    "a schedule whose only window the clocks skip": (
        scheduled(
            "name: s, start: 02:00, end: 03:00, target_instances: 3,"
            " from: 2027-03-28, until: 2027-03-28"
        ),
        "schedules[0]",
        "never opens: the clocks skip its whole window",
    ),
    "a window that the clocks skip once a year": (
        scheduled("name: s, start: 02:15, end: 02:45, target_instances: 3"),
        "schedules[0].start",
        "the clocks skip 02:15 to 02:45 on 2027-03-28 in Europe/Berlin: no window that day",
    ),
    "a floor that the limits keep anyway": (
        scheduled(day(target=1)),
        "schedules[0].target_instances",
        "at_least 1 has no effect; the limits already keep that many",
    ),
    "a floor of 0 meant as a way down": (
        web("limits: {min: 0}", policies=QUEUE) + f"schedules:\n  - {{{day(target=0)}}}\n",
        "schedules[0].target_instances",
        "at_least 0 has no effect; to hold the pool down use mode at_most or exactly",
    ),
    "a ceiling that the limits keep anyway": (
        scheduled(day("mode: at_most", target=10)),
        "schedules[0].target_instances",
        "at_most 10 has no effect; the limits allow no more anyway",
    ),
    "a floor above a ceiling at one time": (
        scheduled(day(target=5), day("mode: at_most, days: [wed]", "low")),
        "schedules[0].target_instances",
        "above the ceiling 3 of schedule 'low' when both are open, as on 2026-06-03 08:00 Europe/",
    ),
    "two exact sizes at one time": (
        scheduled(day("mode: exactly", target=5), day("mode: exactly", "low")),
        "schedules[0].target_instances",
        "the floor 5 is above the ceiling 3",
    ),
    "an overlap after midnight of the day before": (
        scheduled(
            "name: night, days: [fri], start: 22:00, end: 06:00, target_instances: 5",
            "name: low, days: [sat], start: 05:00, end: 07:00, target_instances: 3, mode: at_most",
        ),
        "schedules[0].target_instances",
        "as on 2026-06-06 05:00",
    ),
    "an overlap that only another time zone makes": (
        scheduled(
            day(target=5),
            "name: low, timezone: Asia/Tokyo, start: 15:30, end: 16:00,"
            " target_instances: 3, mode: at_most",
        ),
        "schedules[0].target_instances",
        "as on 2026-06-01 08:30",
    ),
    "an overlap that begins in a later year": (
        scheduled(
            day("from: 2031-01-01", target=5),
            day("mode: at_most, from: 2032-01-01", "low"),
        ),
        "schedules[0].target_instances",
        "as on 2032-01-01 08:00",
    ),
    "an override that has ended": (
        web() + override("2026-06-01T12:00:00Z"),
        "overrides[0].until",
        "has ended",
    ),
}

SILENT: dict[str, str] = {
    "a plain pool": web(),
    "a pool that a schedule sizes": HEAD + f"schedules:\n  - {{{day()}}}\n",
    "two pools with two OCIDs": web()
    + OTHER.replace("oc1..web", "oc1..api")
    + f"    policies: [{CPU}]\n",
    "a region that the OCID confirms": web().replace("oc1..web", "oc1.eu-frankfurt-1.web"),
    "a region that the OCID abbreviates": web().replace("oc1..web", "oc1.fra.web"),
    "min below max": web("limits: {min: 3, max: 4}"),
    "min 0 with a total": web("limits: {min: 0}", policies=QUEUE),
    "min 0 with a floor": web("limits: {min: 0}") + f"schedules:\n  - {{{day('mode: exactly')}}}\n",
    "min 0 with a step on a query": step(
        "query: 'Q[1m].max()', scale_out: {for: 2m, steps: [{above: 5, add: 1}]}",
        "limits: {min: 0}",
    ),
    "a cooldown as long as the warm-up": web("cooldown: {scale_in: 1m}"),
    "a stabilization window of one look": web("stabilization: {scale_out: 30s, scale_in: 30s}"),
    "no stabilization at all": web("stabilization: {scale_out: 0s, scale_in: 0s}"),
    "stale just when a window can be trusted": web("stale_after: 3m"),
    "a demand window of two values": web(
        "stale_after: 7m",
        policies="{name: a, type: target_tracking, metric: M, interval: 5m, target: 1,"
        " demand: {percentile: 90, window: 10m}}",
    ),
    "a target of 100 %": web(policies=CPU.replace("60", "100")),
    "a target just above 1 %": web(policies=CPU.replace("60", "1.1")),
    "a share of something that is no percentage": web(
        policies="{name: a, type: target_tracking, metric: LoadShare, namespace: app, target: 0.6}"
    ),
    "a threshold just below 100 %": step(ladder("{above: 99.9, add: 1}")),
    "a scale-in that just reaches the scale-out": step(
        ladder("{above: 80, add: 1}", "{below: 40, remove: 1}")
    ),
    "a scale-in that only larger pools would survive, in a larger pool": step(
        ladder("{above: 80, add: 1}", "{below: 53, remove: 1}"), "limits: {min: 2}"
    ),
    "a scale-in on another metric": web(
        policies=f"{{name: up, type: step, {ladder('{above: 80, add: 1}')}}},"
        " {name: down, type: step, metric: MemoryUtilization,"
        " scale_in: {for: 2m, steps: [{below: 70, remove: 1}]}}"
    ),
    "a run of one metric window": step(ladder("{above: 80, add: 1}", duration="1m")),
    "a step as large as max_step": step(ladder("{above: 80, add: 2}"), "max_step: {scale_out: 2}"),
    "a count beside a max_step in percent": step(
        ladder("{above: 80, add: 9}"), "max_step: {scale_out: 50%}"
    ),
    "a farther step that adds as much": step(ladder("{above: 80, add: 2}, {above: 90, add: 2}")),
    "a schedule that ends tomorrow": scheduled(day("until: 2026-06-02")),
    "a schedule with one matching day": scheduled(
        day("days: [sun], from: 2026-06-01, until: 2026-06-07")
    ),
    "a schedule with one date left": scheduled(
        day("from: 2026-06-01, until: 2026-06-02, except: [2026-06-01]")
    ),
    "a window that the clocks only shorten": scheduled(
        "name: s, start: 02:00, end: 03:01, target_instances: 3"
    ),
    "the same window where the clocks stand": scheduled(
        "name: s, start: 02:15, end: 02:45, target_instances: 3", zone="Asia/Kolkata"
    ),
    "the same window on days without a change": scheduled(
        "name: s, start: 02:15, end: 02:45, target_instances: 3, days: [mon-sat]"
    ),
    "a floor just above the limits": scheduled(day(target=2)),
    "a ceiling just below the limits": scheduled(day("mode: at_most", target=9)),
    "a floor equal to a ceiling": scheduled(day(), day("mode: at_most", "low")),
    "a floor above a ceiling on other days": scheduled(
        day("days: [mon-fri]", target=5), day("mode: at_most, days: [sat-sun]", "low")
    ),
    "a floor above a ceiling that starts when it ends": scheduled(
        day(target=5),
        "name: low, start: 18:00, end: 20:00, target_instances: 3, mode: at_most",
    ),
    "an override that runs": web() + override("2026-06-01T12:00:01Z"),
}


def warnings(text: str) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in lint(load_document(text), NOW)]


@pytest.mark.parametrize(("text", "path", "sentence"), SPEAKS.values(), ids=SPEAKS.keys())
def test_warns_about(text: str, path: str, sentence: str) -> None:
    assert [found for found, message in warnings(text) if sentence in message] == [path]


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT.keys())
def test_says_nothing_about(text: str) -> None:
    assert warnings(text) == []


def test_a_floor_of_one_pool_and_a_ceiling_of_another_do_not_meet() -> None:
    text = web() + OTHER.replace("oc1..web", "oc1..api") + f"    policies: [{CPU}]\n"
    text += f"schedules:\n  - {{{day('pools: [web]', target=5)}}}\n"
    text += f"  - {{{day('mode: at_most, pools: [api]', 'low')}}}\n"
    assert warnings(text) == []


def test_a_floor_that_lifts_one_of_its_pools_has_an_effect() -> None:
    api = OTHER.replace("oc1..web", "oc1..api") + f"    policies: [{CPU}]\n"
    text = web("limits: {min: 3}") + api + f"schedules:\n  - {{{day()}}}\n"
    assert warnings(text) == []


def test_a_warning_from_defaults_is_given_once() -> None:
    pools = "".join(
        f"  - {{name: p{n}, instance_pool_id: ocid1.instancepool.oc1..p{n}}}\n" for n in range(9)
    )
    text = (
        "version: 1\ndefaults:\n  region: eu-frankfurt-1\n"
        "  compartment_id: ocid1.compartment.oc1..c\n"
        f"  policies: [{CPU}]\n  cooldown: {{scale_in: 10s}}\npools:\n{pools}"
    )
    assert [path for path, _ in warnings(text)] == ["defaults.cooldown.scale_in"]


def test_warnings_come_in_file_order_with_their_places() -> None:
    text = web("limits: {min: 3, max: 3}", "cooldown: {scale_in: 10s}")
    found = lint(load_document(text), NOW)
    assert [(problem.line, problem.column) for problem in found] == [(8, 5), (9, 26)]


def test_without_a_clock_nothing_has_ended() -> None:
    text = scheduled(day("until: 2020-05-29")) + (override("2020-06-01T12:00:00Z"))
    assert lint(load_document(text)) == []


def test_without_a_clock_past_overlaps_are_still_found() -> None:
    text = scheduled(
        day("until: 2020-05-29", target=5), day("mode: at_most, until: 2020-05-29", "low")
    )
    (problem,) = lint(load_document(text))
    assert "the floor 5 is above the ceiling 3" in problem.message


def test_the_example_is_free_of_lints() -> None:
    document = load_document(EXAMPLE.read_bytes())
    assert lint(document) == []
    assert lint(document, NOW) == []


def test_hundreds_of_schedules_that_could_meet_are_linted() -> None:
    floors = [day("days: [mon]", f"floor{n}", target=4) for n in range(100)]
    ceilings = [day("mode: at_most, days: [tue]", f"ceiling{n}", target=2) for n in range(100)]
    assert warnings(scheduled(*floors, *ceilings)) == []
