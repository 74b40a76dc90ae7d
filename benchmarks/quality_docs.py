"""Draws the fronts and writes the decision-quality part of docs/benchmarks.md."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import PAGE, replace_part, row
from poolkeeper.plots import BLUE, GREEN, ORANGE, VERMILION, new_figure, save

_STYLES: dict[str, Any] = {
    "native": {"color": ORANGE, "marker": "s", "linestyle": "--", "label": "OCI's algorithm"},
    "hpa": {"color": GREEN, "marker": "^", "linestyle": ":", "label": "Kubernetes HPA"},
    "poolkeeper": {"color": BLUE, "marker": "o", "linestyle": "-", "label": "Poolkeeper"},
}


def write_docs(files: Sequence[Path]) -> None:
    """Draw every series and replace the tables of docs/benchmarks.md by what the files say."""
    told = [json.loads(file.read_text("utf-8")) for file in files]
    for each in told:
        draw(each)
    replace_part("decision quality", section(told))


def draw(told: dict[str, Any]) -> None:
    """The fronts of the second half: hours to the right, minutes (logarithmic) upwards."""
    result, verdict = told["result"], told["verdict"]
    figure, (axes,) = new_figure(1, (7.5, 4.2))
    for family, style in _STYLES.items():
        points = verdict["fronts"][family]
        hours, minutes = [p[0] for p in points], [max(p[1], 0.5) for p in points]
        axes.step(hours, minutes, where="post", markersize=4, linewidth=1.3, **style)
    default = verdict["default"]
    axes.plot(
        [default["hours"]],
        [max(default["minutes"], 0.5)],
        "*",
        color=VERMILION,
        markersize=13,
        label="the default",
    )
    needed = result["needed_hours"]
    axes.axvline(needed, color="#666666", linewidth=1, linestyle="-.", label="a clairvoyant")
    axes.set_yscale("log")
    widest = max(p[0] for points in verdict["fronts"].values() for p in points)
    axes.set_xlim(0.6 * needed, min(3.2 * needed, 1.08 * widest))
    axes.set_title(f"{result['series']}: down and to the left is better")
    axes.set_xlabel("instance-hours (second half of the series)")
    axes.set_ylabel("minutes under target")
    axes.legend(loc="upper right")
    save(figure, PAGE.parent / "images" / f"decision-quality-{result['series']}.svg")


def section(told: Sequence[dict[str, Any]]) -> str:
    """The tables and pictures as Markdown."""
    lines = [
        row(
            "series",
            "days",
            "against",
            "its points",
            "matched or beaten",
            "by the line",
            "half the minutes",
            "our minutes / its (median)",
            "bar",
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in told:
        result, verdict = each["result"], each["verdict"]
        for family, name in (("native", "OCI"), ("hpa", "HPA")):
            found = verdict[family]
            bar = "met" if found["covered"] == found["points"] else "missed"
            lines.append(
                f"| {result['series']} | {result['minutes'] / 1440:.0f} | {name} | "
                f"{found['points']} | {found['covered']} | {found['lined']} | {found['halved']} | "
                f"{found['ratio']:.2f} | {bar} |"
            )
    lines += [
        "",
        row(
            "series",
            "the default's hours",
            "its minutes under target",
            "hours behind our own front",
            "on or ahead of OCI's front",
            "of the HPA's",
        ),
        "|---|---|---|---|---|---|",
    ]
    for each in told:
        default = each["verdict"]["default"]
        words = ["yes" if default[f"ahead_of_{family}"] else "no" for family in ("native", "hpa")]
        lines.append(
            f"| {each['result']['series']} | {default['hours']:,.0f} | {default['minutes']:,.0f} | "
            f"{100 * default['behind']:.1f} % | {words[0]} | {words[1]} |"
        )
    lines.append("")
    for each in told:
        name = each["result"]["series"]
        lines += [f"![Fronts on {name}](images/decision-quality-{name}.svg)", ""]
    return "\n".join(lines)
