"""Speed and size of the engine: decisions per second, a 30-day replay, memory per pool.

    python benchmarks/engine.py [--docs]

Prints a table and writes benchmarks/results/engine.json; --docs also puts it on the page. Times are
of the processor, of the replays the best of three; a busy machine still makes them longer.
"""

import json
import math
import platform
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from benchmarks.pages import replace_part, row
from shared.config.loader import load
from shared.engine.codec import memory_to_json
from shared.engine.decide import decide
from shared.engine.model import Decision, Memory, Observation, PoolState, Reading
from shared.engine.plan import Plan
from shared.replay.engine import EngineScaler
from shared.replay.pool import World
from shared.replay.run import replay
from shared.replay.score import score
from shared.replay.trace import Trace

RESULTS = Path(__file__).parent / "results"
START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RUNS = 3

NEWEST = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}"
DEMAND = NEWEST.replace("}", ", demand: {percentile: 90, window: 20m}}")


def configuration(pools: int, policy: str) -> str:
    head = "version: 1\ntimezone: Europe/Berlin\npools:\n"
    common = "compartment_id: ocid1.compartment.oc1..b, region: eu-frankfurt-1"
    rows = (
        f"  - {{name: pool-{n}, instance_pool_id: ocid1.instancepool.oc1.fra.{n}, {common}, "
        f"limits: {{min: 1, max: 100}}, policies: [{policy}]}}\n"
        for n in range(pools)
    )
    office = '{name: office, days: [mon-fri], start: "08:00", end: "18:00", target_instances: 2}'
    return head + "".join(rows) + f"schedules: [{office}]\n"


def observation(now: datetime, value: float) -> Observation:
    reading = Reading(value, now - 2 * MINUTE, 6)
    return Observation(now, PoolState(6, 6, "RUNNING"), metrics={"cpu": reading})


def decisions_per_second(pools: int, ticks: int) -> float:
    """All pools tick by tick, each with its own memory, as an agent does."""
    chance = random.Random(pools)
    config = load(configuration(pools, NEWEST))
    plans = [Plan.of(config, pool.name) for pool in config.pools]
    memories = [Memory()] * pools
    scenes = [
        [observation(START + tick * MINUTE, chance.uniform(20, 90)) for _ in range(pools)]
        for tick in range(ticks)
    ]
    began = time.process_time()
    for scene in scenes:
        for index, seen in enumerate(scene):
            memories[index] = decide(plans[index], seen, memories[index]).verdict.memory
    return pools * ticks / (time.process_time() - began)


def thirty_days(policy: str) -> tuple[float, int, int]:
    """Seconds for 43,200 ticks with full reasons, resizes, and bytes of the memory as JSON."""
    chance = random.Random(30)
    demand = tuple(
        max(1.0, 500 + 300 * math.sin(i / 229) + chance.gauss(0, 40)) for i in range(43_200)
    )
    trace = Trace(START, MINUTE, demand, MINUTE)
    plan = Plan.of(load(configuration(1, policy)), "pool-0")
    world, kept = World(60.0), Memory()

    def remembering(ready: Plan, seen: Observation, memory: Memory) -> Decision:
        nonlocal kept
        decision = decide(ready, seen, memory)
        kept = decision.verdict.memory
        return decision

    seconds = math.inf
    for _ in range(RUNS):
        scaler = EngineScaler(plan, trace, world.lag)
        began = time.process_time()
        run = replay(trace, world, scaler, 8)
        seconds = min(seconds, time.process_time() - began)
    short = replace(trace, demand=demand[:2000])
    replay(short, world, EngineScaler(plan, short, world.lag, remembering), 8)
    told = score(run)
    return seconds, told.resizes_out + told.resizes_in, len(json.dumps(memory_to_json(kept)))


def bytes_per_pool(make: Callable[[], object]) -> float:
    """What a thousand prepared pools hold in memory, each with its configuration."""
    tracemalloc.start()
    kept = make()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return held / 1000


def prepared() -> list[Plan]:
    config = load(configuration(1000, NEWEST))
    return [Plan.of(config, pool.name) for pool in config.pools]


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--docs", is_flag=True, help="Write the table of docs/benchmarks.md.")
def main(*, docs: bool) -> None:
    """Measure, print, keep."""
    rows: dict[str, float] = {}
    for pools, ticks in ((1, 20_000), (100, 200), (1000, 20)):
        rows[f"decisions per second, {pools} pools"] = round(decisions_per_second(pools, ticks))
    for name, policy in (("newest value", NEWEST), ("demand percentile, 20 min", DEMAND)):
        seconds, resizes, size = thirty_days(policy)
        rows[f"30 days at 1-minute steps, {name}: seconds"] = round(seconds, 2)
        rows[f"30 days at 1-minute steps, {name}: resizes"] = resizes
        rows[f"memory of a pool as JSON, {name}: bytes"] = size
    rows["a prepared pool in memory: bytes"] = round(bytes_per_pool(prepared))
    for label, value in rows.items():
        print(f"{label:<62}{value:>12,}")
    RESULTS.mkdir(exist_ok=True)
    where = {"python": sys.version.split()[0], "machine": platform.machine()}
    file = RESULTS / "engine.json"
    file.write_text(json.dumps({**where, **rows}, indent=1) + "\n", "utf-8")
    print(f"Wrote {file}.")
    if docs:
        lines = [
            row("measured", "value"),
            "|---|---|",
            *(row(k, f"{v:,}") for k, v in rows.items()),
        ]
        replace_part("engine", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
