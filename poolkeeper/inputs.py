"""What the offline commands read: configurations, instants, text; and how they fail."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from shared.config.loader import load
from shared.config.models import Config
from shared.config.problems import ConfigError
from shared.engine.plan import Plan

MAX_INPUT_BYTES = 64 * 1024 * 1024


class Failure(click.ClickException):
    """Bad input or a failure: one sentence on stderr, exit status 2."""

    exit_code = 2


def read_text(path: Path) -> str:
    """The text of a file, or of standard input for `-`. Raises Failure."""
    try:
        if str(path) == "-":
            raw = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    if len(raw) > MAX_INPUT_BYTES:
        raise Failure(f"{path}: larger than {MAX_INPUT_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: not UTF-8 text (byte {error.start})") from None


def read_config(path: Path) -> Config:
    """Load a configuration. Raises Failure with its first problem and how many more there are."""
    try:
        return load(read_text(path))
    except ConfigError as error:
        more = len(error.problems) - 1
        rest = f" (and {more} more: see `poolkeeper config check {path}`)" if more else ""
        raise Failure(f"{path}: {error.problems[0]}{rest}") from None


def plan_of(config: Config, pool: str) -> Plan:
    """Prepare a pool. Raises Failure when the configuration has no pool of that name."""
    try:
        return Plan.of(config, pool)
    except KeyError:
        raise Failure(f"--pool: {pool!r} is no pool of this file; {_has(config)}") from None


def _has(config: Config) -> str:
    names = [pool.name for pool in config.pools]
    if not names:
        return "it has none"
    shown = ", ".join(names[:10])
    return f"it has {shown} and {len(names) - 10} more" if len(names) > 10 else f"it has {shown}"


def instant(text: str, zone: str, option: str) -> datetime:
    """An ISO 8601 date or time as UTC; without an offset it is local time in `zone`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        sentence = f"{option}: {text!r} is not an ISO 8601 time such as 2026-03-29T02:00:00Z"
        raise Failure(sentence) from None
    if not 1900 <= at.year <= 2199:
        raise Failure(f"{option}: {text!r} is out of range: years from 1900 to 2199")
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def prints_json(*, asked: bool) -> bool:
    """Whether to print JSON: when asked to, and to whatever is not a person's terminal."""
    return asked or not sys.stdout.isatty()


def check_plot_path(path: Path) -> None:
    """Raises Failure unless the file's ending names a format that can be drawn."""
    if path.suffix.lower() not in {".svg", ".png"}:
        raise Failure(f"--plot: {path} must end in .svg or .png")
