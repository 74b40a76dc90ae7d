"""How well demand can be foretold: mean error of simple forecasts over lag and boot.

    python benchmarks/forecasts.py --trace FILE.csv [--trace FILE.csv …] [--docs]

A decision sees demand that is 3 minutes old (2 of lag, 1 of the window) and its instances serve 3
minutes later: it acts on a forecast over 6 minutes, whether it says so or not. The error is the
mean absolute one as a share of the mean demand, over every seventh minute from the eighth day on;
all forecasts use the past alone. Without --trace the seeded synthetic series alone is looked at.
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import fmean, median

import click

from benchmarks.pages import replace_part, row
from benchmarks.synthetic import synthetic_csv
from shared.replay.trace import read_trace

RESULTS = Path(__file__).parent / "results"
AHEAD = 6
DAY = 1440
DAYS = 7
SLOPE = 5
AROUND = 15

Forecast = Callable[[Sequence[float], int], float]


def newest(demand: Sequence[float], now: int) -> float:
    """What was measured last goes on."""
    return demand[now]


def of_an_hour(demand: Sequence[float], now: int) -> float:
    """The median of the last hour."""
    return median(demand[now - 59 : now + 1])


def of_six_hours(demand: Sequence[float], now: int) -> float:
    """The median of the last six hours."""
    return median(demand[now - 359 : now + 1])


def trend(demand: Sequence[float], now: int) -> float:
    """The slope of the last five minutes goes on."""
    slope = (demand[now] - demand[now - SLOPE]) / SLOPE
    return max(0.0, demand[now] + AHEAD * slope)


def _half_hour(demand: Sequence[float], centre: int) -> float:
    return fmean(demand[centre - AROUND : centre + AROUND + 1])


def same_time(demand: Sequence[float], now: int) -> float:
    """The half hour around the same time of day, median of the last seven days."""
    return median(_half_hour(demand, now + AHEAD - day * DAY) for day in range(1, DAYS + 1))


def shape(demand: Sequence[float], now: int) -> float:
    """What was measured last, changed as it usually changes at that time of day."""
    usual = fmean(_half_hour(demand, now - day * DAY) for day in range(1, DAYS + 1))
    then = fmean(_half_hour(demand, now + AHEAD - day * DAY) for day in range(1, DAYS + 1))
    return demand[now] * then / usual if usual else demand[now]


FORECASTS: dict[str, Forecast] = {
    "newest value": newest,
    "median of 1 h": of_an_hour,
    "median of 6 h": of_six_hours,
    "trend of 5 min": trend,
    "same time of day, 7 days": same_time,
    "newest and the day's shape": shape,
}


def errors(text: str) -> dict[str, float]:
    """The mean absolute error of each forecast, and of the mean of all, in per cent of the mean."""
    demand = read_trace(text, timedelta(minutes=1)).demand
    mean = fmean(demand)
    minutes = range(DAYS * DAY + AROUND, len(demand) - AHEAD, 7)
    found = {
        name: fmean(abs(demand[now + AHEAD] - forecast(demand, now)) for now in minutes)
        for name, forecast in FORECASTS.items()
    }
    found["the mean of the series"] = fmean(abs(demand[now + AHEAD] - mean) for now in minutes)
    return {name: round(100 * error / mean, 1) for name, error in found.items()}


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--trace", "traces", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--docs", is_flag=True, help="Write the table of docs/benchmarks.md.")
def main(traces: tuple[Path, ...], *, docs: bool) -> None:
    """Look at each series and at the synthetic one; print, keep as JSON."""
    series = {path.stem: path.read_text("utf-8") for path in traces}
    told = {name: errors(text) for name, text in (series | {"synthetic": synthetic_csv()}).items()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "forecasts.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    names = [*FORECASTS, "the mean of the series"]
    lines = [row("series", *names), "|---" * (len(names) + 1) + "|"]
    lines += [row(name, *(f"{found[each]} %" for each in names)) for name, found in told.items()]
    print("\n".join(lines))
    if docs:
        replace_part("forecasts", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
