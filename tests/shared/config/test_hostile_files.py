"""Files made to hurt are refused quickly and cheaply; large honest ones load."""

import time
import tracemalloc
from collections.abc import Callable

import pytest
import yaml

from shared.config.loader import load
from shared.config.problems import ConfigError
from tests.config_texts import HEAD

MEGABYTE = 1024 * 1024


def _fill(piece: str, head: str = "", size: int = MEGABYTE) -> str:
    return head + piece * ((size - len(head)) // len(piece))


BILLION_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)

HOSTILE: dict[str, Callable[[], str]] = {
    "billion laughs": lambda: BILLION_LAUGHS,
    "a megabyte of opening brackets": lambda: _fill("["),
    "a megabyte of opening braces": lambda: _fill("{"),
    "a megabyte of nested maps in flow style": lambda: _fill("{a: "),
    "a megabyte of nested lists in block style": lambda: _fill("- "),
    "a megabyte of nested complex keys": lambda: _fill("? "),
    "a hundred thousand keys": lambda: "".join(f"k{n}: v\n" for n in range(80_000)),
    "one key, a hundred thousand times": lambda: _fill("key: 1\n"),
    "half a million list items": lambda: _fill("1,", "version: 1\npools: ["),
    "more values than allowed, in legal portions": lambda: _fill(
        f"  - [{', '.join('1' * 200)}]\n", "version: 1\npools:\n"
    ),
    "fifty thousand anchors": lambda: _fill("- &a x\n"),
    "fifty thousand tags": lambda: _fill("- !!str x\n"),
    "a key of a megabyte": lambda: "a" * (MEGABYTE - 10) + ": 1\n",
    "a number of a megabyte": lambda: _fill("9", "version: "),
    "a fraction of a megabyte": lambda: _fill("9", "version: 0."),
    "an exponent of a megabyte": lambda: _fill("9", "version: 1e"),
    "a plain scalar over many lines": lambda: _fill("a\n", "version: "),
    "a quoted scalar over many lines": lambda: _fill("a\n", 'version: "') + '"',
    "a quoted scalar of escapes": lambda: _fill("\\x41", 'version: "') + '"',
    "a block scalar over many lines": lambda: _fill(" x\n", "version: |\n"),
    "a comment of a megabyte": lambda: _fill("#"),
    "a megabyte of empty lines": lambda: _fill("\n"),
    "a megabyte of colons": lambda: _fill(":"),
    "a megabyte of quotes": lambda: _fill("'"),
    "a megabyte of exclamation marks": lambda: _fill("!"),
    "numbers without end": lambda: _fill(
        f"  - [{'.inf, ' * 200}]\n", "version: 1\npools:\n", 200_000
    ),
    "an anchor of a megabyte": lambda: _fill("a", "&"),
    "many directives": lambda: _fill("%TAG ! a\n"),
    "many documents": lambda: _fill("---\na: 1\n"),
    "a control character at the end": lambda: _fill("a", "version: ", MEGABYTE - 1) + "\0",
    "more than a megabyte": lambda: "a" * (8 * MEGABYTE),
    "many pools, each with many mistakes": lambda: (
        "version: 1\npools:\n" + f"  - {{{', '.join(f'k{n}: 1' for n in range(30))}}}\n" * 200
    ),
    "keys that resemble legal ones": lambda: (
        "version: 1\npools:\n"
        + f"  - {{{', '.join(f'stabilizatiom{n}: 1' for n in range(60))}}}\n" * 100
    ),
}


def _refuse(text: str) -> float:
    started = time.process_time()  # not wall time: other programs run on this machine too
    with pytest.raises(ConfigError):
        load(text)
    return time.process_time() - started


def _bare_parse() -> float:
    """What the C parser alone takes here and now for as many values as a file may have."""
    text = "[" + "1," * 50_000 + "]"
    started = time.process_time()
    assert sum(1 for _ in yaml.parse(text, Loader=yaml.CLoader)) > 50_000
    return time.process_time() - started


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.fault(51)
def test_is_refused_within_a_tenth_of_a_second(make: Callable[[], str]) -> None:
    """On a slow or busy machine: within little more than the C parser needs for a full file."""
    text = make()
    tries = (_refuse(text) < max(0.1, 1.5 * _bare_parse()) for _ in range(20))
    assert any(tries)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.fault(51)
def test_is_refused_within_twenty_mebibytes(make: Callable[[], str]) -> None:
    text = make()
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError):
            load(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * MEGABYTE


FULL_POOL = """\
  - name: web-{n}
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.p{n}
    compartment_id: ocid1.compartment.oc1..c
    region: eu-frankfurt-1
    mode: active
    limits: {{min: 2, max: 20}}
    policies:
      - name: cpu
        type: target_tracking
        metric: CpuUtilization
        target: 60
        tolerance: {{out: 10%, in: 10%}}
        demand: {{percentile: 90, window: 20m}}
      - name: memory
        type: step
        metric: MemoryUtilization
        scale_out: {{for: 3m, steps: [{{above: 80, add: 2}}, {{above: 95, add: 50%}}]}}
        scale_in: {{for: 10m, steps: [{{below: 30, remove: 1}}]}}
      - name: backlog
        type: target_tracking
        namespace: my_app
        query: 'QueueDepth[1m]{{queue = "orders-{n}"}}.max()'
        per_instance: true
        target: 100
    stabilization: {{scale_out: 0s, scale_in: 5m}}
    cooldown: {{scale_out: 1m, scale_in: 5m}}
    max_step: {{scale_out: 100%, scale_in: 2}}
    warmup: 1m
    metric_lag: 2m
    stale_after: 6m
    on_missing_metrics: hold
"""


def test_a_hundred_pools_with_every_option_load_within_300_ms() -> None:
    text = "version: 1\npools:\n" + "".join(FULL_POOL.format(n=n) for n in range(100))
    best = 1.0
    for _ in range(5):
        started = time.process_time()
        config = load(text)
        best = min(best, time.process_time() - started)
    assert len(config.pools) == 100
    assert best < 0.3


def test_a_thousand_pools_load() -> None:
    pools = "".join(
        f"  - {{name: p{n}, instance_pool_id: ocid1.instancepool.oc1..p{n},"
        f" limits: {{min: 1, max: {n + 1}}}}}\n"
        for n in range(1000)
    )
    defaults = (
        "defaults:\n  region: eu-frankfurt-1\n  compartment_id: ocid1.compartment.oc1..c\n"
        "  policies: [{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}]\n"
    )
    config = load(f"version: 1\n{defaults}pools:\n{pools}")
    assert [pool.limits.max for pool in config.pools] == list(range(1, 1001))


def _nested(levels: int) -> str:
    return f"version: 1\nx: {'[' * (levels - 1)}1{']' * (levels - 1)}\n"


def test_twenty_levels_are_the_limit() -> None:
    with pytest.raises(ConfigError, match="x: unknown key"):
        load(_nested(20))
    with pytest.raises(ConfigError, match="line 2, column 23: nested deeper than 20 levels"):
        load(_nested(21))


def test_fifty_thousand_values_are_the_limit() -> None:
    def with_values(count: int) -> str:
        rows, rest = divmod(count - 3, 5000)  # the mapping, its key and the list around
        lists = [f"[{', '.join(['1'] * (size - 1))}]" for size in [*[5000] * rows, rest] if size]
        return f"k: [{', '.join(lists)}]\n"

    with pytest.raises(ConfigError, match="k: unknown key"):
        load(with_values(50_000))
    with pytest.raises(ConfigError, match="more than 50,000 values in one file"):
        load(with_values(50_001))


def test_sixty_four_keys_and_five_thousand_items_are_the_limit_of_one_place() -> None:
    keys = "".join(f"k{n}: 1\n" for n in range(64))
    with pytest.raises(ConfigError, match="k0: unknown key"):
        load(keys)
    with pytest.raises(ConfigError, match="line 65, column 1: more than 64 keys in one place"):
        load(keys + "k64: 1\n")
    items = "".join("  - 1\n" for _ in range(5000))
    with pytest.raises(ConfigError, match="k: unknown key"):
        load(f"k:\n{items}")
    with pytest.raises(ConfigError, match="line 5002, column 5: more than 5,000 items"):
        load(f"k:\n{items}  - 1\n")


def test_a_query_of_any_length_is_parsed_or_refused_quickly() -> None:
    query = "(" * 4000
    text = HEAD + f"    policies: [{{name: a, type: step, query: '{query}'}}]\n"
    assert _refuse(text) < 1.0
