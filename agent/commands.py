"""`poolkeeper agent`: run the agent, show one tick without acting, prove that everything works."""

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from agent import last_words
from agent.clock import ScaledClock
from agent.commands_install import install, uninstall, upgrade
from agent.commands_status import status
from agent.compose import build
from agent.errors import SettingsError
from agent.settings import Settings, read_settings
from agent.surroundings import Surroundings

EXIT_FAILURE = 2
_CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A local configuration; with a central it only bootstraps.",
)


class _Failure(click.ClickException):
    exit_code = EXIT_FAILURE


@click.group()
def agent() -> None:
    """The agent on a node: keeps instance pools at the right size."""


@agent.command()
@_CONFIG
@click.option("--verbose", is_flag=True, help="Log every decision, not only changes.")
def run(config_file: Path | None, *, verbose: bool) -> None:
    """Run until SIGTERM. Settings come from POOLKEEPER_* variables; see docs/agent.md."""
    from agent.logs import set_up  # noqa: PLC0415 # the other commands log nothing
    from agent.loop import Loop  # noqa: PLC0415 # the other commands need no scheduler
    from agent.status_server import serving  # noqa: PLC0415 # the same
    from agent.systemd_notify import Notifier  # noqa: PLC0415 # the same

    settings = _settings(config_file)
    set_up(sys.stderr, verbose=verbose, for_journal="JOURNAL_STREAM" in os.environ)
    clock, begin = _clock(settings), time.monotonic()
    around, notifier = _surroundings(clock), Notifier(settings.notify_socket)
    try:
        service = build(settings, around)
        ended = last_words.take(settings.state_dir)
        if ended is not None:
            service.problems.add(f"the process before this one ended: {ended}")
        with serving(service, settings.listen):
            Loop(service, clock, notifier).run()
    except Exception as error:
        wait = last_words.leave(settings.state_dir, error, time.monotonic() - begin)
        if wait and settings.notify_socket:  # somebody starts it again and again
            notifier.status(f"failed, and ends in {wait:.0f} s to be started anew: {error}")
            around.stop.wait(wait)
        if isinstance(error, SettingsError | OSError):
            raise _Failure(str(error)) from None
        raise
    last_words.forget(settings.state_dir)


@agent.command()
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print the decisions as JSON.")
def plan(config_file: Path | None, *, as_json: bool) -> None:
    """Decide once for every pool and show why; nothing is changed. Exit 1: a pool is not seen."""
    from agent.planning import plan_once, print_table  # noqa: PLC0415 # rich is for this one only

    settings = _settings(config_file)
    try:
        rows = plan_once(settings, _surroundings(_clock(settings), dry=True))
    except (SettingsError, OSError) as error:
        raise _Failure(str(error)) from None
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        print_table(rows)
    sys.exit(0 if all(row["seen"] for row in rows) else 1)


@agent.command()
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(config_file: Path | None, *, as_json: bool) -> None:
    """Prove configuration, clock, central, credentials and each permission. Exit 1: not all."""
    from agent.checking import check_all  # noqa: PLC0415 # for this one only
    from agent.findings import print_findings  # noqa: PLC0415 # the same

    settings = _settings(config_file)
    try:
        findings = check_all(settings, _surroundings(_clock(settings), dry=True))
    except (SettingsError, OSError) as error:
        raise _Failure(str(error)) from None
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        print_findings(findings)
    sys.exit(0 if all(finding.is_good for finding in findings) else 1)


def _settings(config_file: Path | None) -> Settings:
    try:
        return read_settings(os.environ, config_file)
    except SettingsError as error:
        raise _Failure(str(error)) from None


def _wall() -> datetime:
    return datetime.now(UTC)


def _clock(settings: Settings) -> ScaledClock:
    return ScaledClock(
        _wall,
        time.monotonic,
        origin_simulated=settings.clock.simulated,
        origin_wall=settings.clock.wall,
        scale=settings.clock.scale,
    )


def _surroundings(clock: ScaledClock, *, dry: bool = False) -> Surroundings:
    return Surroundings(clock, _wall, time.monotonic, stop=threading.Event(), dry=dry)


for command in (status, install, upgrade, uninstall):
    agent.add_command(command)
