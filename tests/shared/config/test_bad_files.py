"""Every mistake is answered with one sentence at its place."""

import pytest

from shared.config.loader import load
from shared.config.problems import MAX_PROBLEMS, ConfigError, Problem
from tests.config_texts import BAD_FILES, HEAD, Bad, policy, pool


def problems_of(source: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(source)
    return caught.value.problems


@pytest.mark.parametrize("case", BAD_FILES.values(), ids=BAD_FILES.keys())
@pytest.mark.fault(50, 52)
def test_is_refused_with_a_sentence_at_its_place(case: Bad) -> None:
    problem = Problem(case.line, case.column, case.path, case.message)
    assert problem in problems_of(case.text)


def test_a_problem_reads_as_place_path_and_sentence() -> None:
    assert str(Problem(3, 5, "pools[0].limits.max", "must be a whole number")) == (
        "line 3, column 5: pools[0].limits.max: must be a whole number"
    )
    assert str(Problem(1, 1, "", "the file is empty")) == "line 1, column 1: the file is empty"


def test_every_problem_of_a_file_is_told_at_once_in_file_order() -> None:
    text = """\
version: 3
timezon: UTC
defaults:
  limits: {mx: 3}
  warmup: 5
pools:
  - name: web
    instance_pool_id: nonsense
    limits: {min: 0x10}
    mode: actve
    policies:
      - {name: a, type: stp}
      - {name: a, type: target_tracking, metric: M, target: .inf}
    on_missing_metrics: {at_least: x}
  - {name: web}
schedules:
  - {name: s, start: 9, end: 10:00, target_instances: 3, pools: [wbe]}
  - {name: s, start: 08:00, end: 10:00, target_instances: 3, pools: [wbe]}
overrides:
  - {pool: web}
"""
    found = [(problem.line, problem.path) for problem in problems_of(text)]
    assert found == [
        (1, "version"),
        (2, "timezon"),
        (4, "defaults.limits.mx"),
        (5, "defaults.warmup"),
        (7, "pools[0].compartment_id"),
        (7, "pools[0].region"),
        (8, "pools[0].instance_pool_id"),
        (9, "pools[0].limits.min"),
        (10, "pools[0].mode"),
        (12, "pools[0].policies[0].type"),
        (13, "pools[0].policies[1].target"),
        (14, "pools[0].on_missing_metrics.at_least"),
        (15, "pools[1].compartment_id"),
        (15, "pools[1].instance_pool_id"),
        (15, "pools[1].region"),
        (15, "pools[1].name"),
        (17, "schedules[0].start"),
        (18, "schedules[1].name"),
        (18, "schedules[1].pools[0]"),
        (20, "overrides[0].reason"),
        (20, "overrides[0].target_instances"),
        (20, "overrides[0].until"),
    ]


def test_a_wrong_default_is_told_once_at_its_own_line_however_many_pools_use_it() -> None:
    pools = "".join(
        f"  - {{name: p{n}, instance_pool_id: ocid1.instancepool.oc1..p{n}}}\n" for n in range(3)
    )
    text = (
        "version: 1\ndefaults:\n  region: eu-frankfurt-1\n"
        "  compartment_id: ocid1.compartment.oc1..c\n  limits: {max: lots}\npools:\n" + pools
    )
    assert problems_of(text) == (Problem(5, 17, "defaults.limits.max", "must be a whole number"),)


def test_a_wrong_default_is_told_even_where_every_pool_has_its_own_value() -> None:
    text = "version: 1\ndefaults: {warmup: soon}\n" + pool("warmup: 1m").removeprefix(
        "version: 1\n"
    )
    assert [problem.path for problem in problems_of(text)] == ["defaults.warmup"]


def test_limits_that_only_a_pool_completes_are_judged_there() -> None:
    text = "version: 1\ndefaults: {limits: {min: 5}}\n" + pool("limits: {max: 3}").removeprefix(
        "version: 1\n"
    )
    assert problems_of(text) == (Problem(8, 5, "pools[0].limits", "min (5) is above max (3)"),)


def test_after_a_hundred_problems_the_rest_is_only_mentioned() -> None:
    found = problems_of("version: 1\npools:\n" + "  - {}\n" * 500)
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1].message == "and more problems from here on; mend those above first"


SECRET = "hunter2-and-some-more"
LEAKS = {
    "as the value of an unknown key": f"version: 1\npools: []\npassword: {SECRET}\n",
    "inside the mapping of an unknown key": f"version: 1\npools: []\nauth: {{token: {SECRET}}}\n",
    "where a number is needed": pool(f"limits: {{max: {SECRET}}}"),
    "where a duration is needed": pool(f"warmup: {SECRET}"),
    "where a percentage is needed": pool(f"max_step: {{scale_in: {SECRET}%}}"),
    "where a choice is needed": pool(f"mode: {SECRET}"),
    "where a mapping is needed": pool(f"limits: {SECRET}"),
    "where a list is needed": pool(f"policies: {SECRET}"),
    "as an OCID": HEAD.replace("ocid1.instancepool.oc1..web", SECRET),
    "as a region": HEAD.replace("eu-frankfurt-1", SECRET),
    "as a time zone": f"version: 1\npools: []\ntimezone: {SECRET}\n",
    "as a policy type": policy(f"name: a, type: {SECRET}"),
    "as a statistic": policy(f"name: a, type: step, metric: M, statistic: {SECRET}"),
    "as a day": f"{HEAD}schedules:\n  - {{name: a, days: [{SECRET}]}}\n",
    "as a date": f"{HEAD}schedules:\n  - {{name: a, except: [{SECRET}]}}\n",
    "as a time": f"{HEAD}schedules:\n  - {{name: a, start: {SECRET}}}\n",
    "as an instant": f"{HEAD}overrides:\n  - {{pool: web, until: {SECRET}}}\n",
    "in a line that is not YAML": f"version: 1\nkey: {SECRET}: x\n",
    "behind an anchor": f"version: 1\npools: &{SECRET} []\n",
    "in a tag": f"version: 1\npools: !{SECRET} []\n",
    "as the whole file": SECRET,
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_a_secret_in_the_wrong_place_is_never_repeated(text: str) -> None:
    assert "hunter2" not in "".join(map(str, problems_of(text)))


def test_long_and_odd_keys_are_shortened() -> None:
    (problem,) = problems_of(f'version: 1\npools: []\n"{"k" * 300}\\n": 1\n')
    assert problem.message == "unknown key"
    assert len(problem.path) == 40


def test_bytes_that_are_not_utf_8_are_refused_where_they_stand() -> None:
    assert problems_of(b"version: 1\n# \xff\xfe\n") == (
        Problem(2, 3, "", "the file is not UTF-8 from here on"),
    )
    assert problems_of("version: 1\n".encode("utf-16"))[0].line == 1


def test_a_megabyte_is_the_limit() -> None:
    fine = "version: 1\npools: []\n#"
    load(fine + "x" * (1024 * 1024 - len(fine)))
    for too_large in ("x" * (1024 * 1024 - len(fine) + 1), "ä" * (512 * 1024)):
        (problem,) = problems_of(fine + too_large)
        assert problem.message == "the file is larger than 1 MiB"
