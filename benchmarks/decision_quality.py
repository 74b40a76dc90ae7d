"""Decision quality: instance-hours against minutes under target, beside OCI and the HPA.

    python benchmarks/decision_quality.py --trace FILE.csv [--trace FILE.csv …] [--docs]

Every configuration replays the whole series in the same world (3 min boot, 2 min metric lag, above
80 % is under target). Knobs are chosen on the first half (each family's Pareto front there) and
scored on the second, with as many configurations for each family. Without --trace the seeded
synthetic series is replayed. Results go to benchmarks/results/ as JSON; --docs also draws the plots
and writes the table of docs/benchmarks.md from all results that are there.

A configuration that was replayed over a series stays so: an interrupted run goes on where it was.
After a change of the engine --fresh begins anew.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import click

from benchmarks.families import FAMILIES, Setting, all_settings
from benchmarks.fronts import Point, compare, excess, front
from benchmarks.quality_docs import write_docs
from benchmarks.synthetic import synthetic_csv
from shared.replay.pool import World
from shared.replay.run import replay
from shared.replay.score import score
from shared.replay.trace import Trace, read_trace

RESULTS = Path(__file__).parent / "results"
MEAN_NEED = 10.0
"""The capacity of an instance is set so that the mean demand needs this many at the line."""


@dataclass(frozen=True, slots=True)
class Task:
    """One replay, sent to a worker."""

    setting: Setting
    trace: Trace
    world: World


def halves(task: Task) -> dict[str, Any]:
    """Replay one configuration and score the two halves of the series."""
    trace, world = task.trace, task.world
    start = max(1, world.needed(trace.demand[0]))
    run = replay(trace, world, task.setting.scaler(trace, world), start)
    middle = len(trace.demand) // 2
    parts = [score(run, 0, middle), score(run, middle)]
    return {
        "family": task.setting.family,
        "label": task.setting.label,
        "halves": [[part.instance_hours, part.minutes_under_target] for part in parts],
        "resizes": parts[1].resizes_out + parts[1].resizes_in,
    }


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def rows_of(tasks: list[Task], file: Path, workers: int) -> list[dict[str, Any]]:
    """A row for each task: those that the file has, the others replayed and added to it."""
    series = _digest(tasks[0].trace, tasks[0].world)
    keys = [_digest(series, task.setting) for task in tasks]
    known: dict[str, dict[str, Any]] = {}
    if file.exists():
        known = dict(json.loads(line) for line in file.read_text("utf-8").splitlines())
    missing = [(key, task) for key, task in zip(keys, tasks, strict=True) if key not in known]
    with file.open("a", encoding="utf-8") as kept:
        replayed = _replayed([task for _, task in missing], workers)
        for (key, _), row in zip(missing, replayed, strict=True):
            known[key] = row
            kept.write(json.dumps([key, row]) + "\n")
            kept.flush()
    return [known[key] for key in keys]


def _replayed(tasks: list[Task], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1:
        yield from map(halves, tasks)
        return
    with Pool(workers) as pool:
        yield from pool.imap(halves, tasks)


def measure(name: str, text: str, days: int | None, workers: int) -> dict[str, Any]:
    """Replay every configuration over one series."""
    trace = read_trace(text, timedelta(minutes=1))
    if days is not None:
        keep = trace.demand[-days * 1440 :]
        start = trace.end - len(keep) * trace.step
        trace = Trace(start, trace.step, keep, trace.interval, trace.filled)
    mean = sum(trace.demand) / len(trace.demand)
    world = World(capacity=mean / (0.8 * MEAN_NEED))
    settings = all_settings()
    began = time.perf_counter()
    tasks = [Task(each, trace, world) for each in settings]
    rows = rows_of(tasks, RESULTS / f"decision_quality-{name}.rows", workers)
    middle = len(trace.demand) // 2
    return {
        "series": name,
        "from": trace.start.isoformat(),
        "to": trace.end.isoformat(),
        "minutes": len(trace.demand),
        "configurations": len(settings) // len(FAMILIES),
        "capacity": world.capacity,
        "needed_hours": sum(world.needed(v) for v in trace.demand[middle:]) / 60,
        "seconds": time.perf_counter() - began,
        "rows": rows,
    }


def _point(row: dict[str, Any], half: int) -> Point:
    hours, minutes = row["halves"][half]
    return Point(hours, minutes, row["label"])


def chosen(rows: list[dict[str, Any]], family: str) -> list[Point]:
    """The family's front of the first half, as scored on the second."""
    mine = [row for row in rows if row["family"] == family]
    first = front(_point(row, 0) for row in mine)
    kept = {point.label for point in first}
    return [_point(row, 1) for row in mine if row["label"] in kept]


def judge(result: dict[str, Any]) -> dict[str, Any]:
    """Compare the fronts, and the shipped default with our own."""
    points = {family: chosen(result["rows"], family) for family in FAMILIES}
    ours = points["poolkeeper"]
    shipped = next(row for row in result["rows"] if row["family"] == "default")
    default = _point(shipped, 1)
    behind = excess(default, [*ours, default])
    verdict: dict[str, Any] = {
        "series": result["series"],
        "default": {"hours": default.hours, "minutes": default.minutes, "behind": behind},
        "fronts": {
            family: [[p.hours, p.minutes, p.label] for p in front(each)]
            for family, each in points.items()
        },
    }
    for family in ("native", "hpa"):
        found = compare(ours, points[family])
        verdict[family] = {
            "points": found.points,
            "covered": found.covered,
            "lined": found.lined,
            "halved": found.halved,
            "ratio": found.ratio,
        }
        behind_them = excess(default, points[family])
        verdict["default"][f"ahead_of_{family}"] = behind_them == 0
    return verdict


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--trace", "traces", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--days", type=click.IntRange(2), help="Only the last so many days of each series.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--fresh", is_flag=True, help="Forget what was replayed before.")
@click.option("--docs", is_flag=True, help="Draw plots and write docs/benchmarks.md.")
def main(
    traces: tuple[Path, ...], days: int | None, workers: int, *, fresh: bool, docs: bool
) -> None:
    """Measure each series, print what was found, keep it as JSON."""
    RESULTS.mkdir(exist_ok=True)
    for file in RESULTS.glob("decision_quality-*.rows") if fresh else ():
        file.unlink()
    series = [(path.stem, path.read_text("utf-8")) for path in traces]
    for name, text in series or [("synthetic", synthetic_csv())]:
        result = measure(name, text, days, workers)
        verdict = judge(result)
        file = RESULTS / f"decision_quality-{name}.json"
        file.write_text(
            json.dumps({"result": result, "verdict": verdict}, indent=1) + "\n", "utf-8"
        )
        print(f"{name}: {result['seconds']:.0f} s, {result['configurations']} configurations each")
        for family in ("native", "hpa"):
            told = verdict[family]
            print(
                f"  {family}: {told['covered']} of {told['points']} points matched or beaten, "
                f"{told['halved']} with half the minutes; median {told['ratio']:.2f} of the minutes"
            )
        print(f"  the default is {100 * verdict['default']['behind']:.1f} % behind our own front")
    if docs:
        write_docs(sorted(RESULTS.glob("decision_quality-*.json")))


if __name__ == "__main__":
    main()
