"""`poolkeeper simulator`: serve a simulated OCI on this machine, make keys for it."""

import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click
import uvicorn
from pydantic import ValidationError

from simulator.clock import Clock, ScaledClock, SteppedClock
from simulator.errors import ApiError
from simulator.keys import TENANCY, USER, generate
from simulator.scenario import Scenario
from simulator.server import address, configuration, listen
from simulator.world import World

EXIT_FAILURE = 2


class _Failure(click.ClickException):
    exit_code = EXIT_FAILURE


class _ServeOptions(TypedDict):
    port: int
    scenario: Path | None
    clock_scale: float
    start: str | None
    origin_wall: str | None
    public_key: Path | None
    tenancy: str
    user: str
    metrics_rate: int | None
    seed: int
    as_json: bool


@click.group()
def simulator() -> None:
    """OCI on localhost: instance pools and Monitoring, with faults and a load model."""


@simulator.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--scenario", type=click.Path(path_type=Path), help="JSON: pools, streams, faults.")
@click.option("--clock-scale", type=float, default=1.0, help="0 only moves by /admin/clock.")
@click.option("--start", type=str, help="Simulated time at the origin (ISO 8601); default now.")
@click.option("--origin-wall", type=str, help="Wall time of the origin (ISO 8601); default now.")
@click.option("--public-key", type=click.Path(path_type=Path), help="PEM that may sign requests.")
@click.option("--tenancy", default=TENANCY, help="Tenancy OCID of that key.")
@click.option("--user", default=USER, help="User OCID of that key.")
@click.option("--metrics-rate", type=click.IntRange(min=0), help="Queries a second; 0: no limit.")
@click.option("--seed", type=int, default=0, help="Of every scatter and every bad luck.")
@click.option("--json", "--print-url", "as_json", is_flag=True, help="As it does anyway.")
def serve(**options: Unpack[_ServeOptions]) -> None:
    """Serve until SIGTERM or SIGINT; the first line of output is JSON with the `url`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn hands the signal on when done
    world = _world(options)
    try:
        listener = listen(options["port"])
    except OSError as error:
        raise _Failure(f"port {options['port']} cannot be opened: {error.strerror}") from None
    click.echo(json.dumps({"url": address(listener), "now": world.now().isoformat()}))
    uvicorn.Server(configuration(world)).run(sockets=[listener])


@simulator.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--region", default="eu-frankfurt-1", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def keygen(directory: Path, region: str, *, as_json: bool) -> None:
    """Write an API key pair and an OCI configuration file into DIRECTORY."""
    try:
        key = generate(directory, region=region)
    except OSError as error:
        raise _Failure(f"{error.filename or directory}: {error.strerror}") from None
    facts = {
        "config_file": str(key.config_file),
        "public_key": str(key.public_key),
        "tenancy": key.tenancy,
        "user": key.user,
        "fingerprint": key.fingerprint,
    }
    click.echo(json.dumps(facts) if as_json else f"Wrote {key.config_file} ({key.fingerprint}).")


def _world(options: _ServeOptions) -> World:
    wall_now = _system_now()
    start = _instant(options["start"]) or wall_now
    clock = _clock(options["clock_scale"], start, _instant(options["origin_wall"]) or wall_now)
    world = World(clock, _system_now, seed=options["seed"])
    if options["scenario"] is not None:
        try:
            world.play(_read_scenario(options["scenario"]))
        except (ApiError, ValueError) as error:
            raise _Failure(f"{options['scenario']}: {error}") from None
    rate = options["metrics_rate"]
    if rate is not None:
        world.faults = world.faults.model_copy(update={"metrics_per_second": rate or None})
    if options["public_key"] is not None:
        try:
            world.register_key(options["tenancy"], options["user"], _read(options["public_key"]))
        except ValueError:
            raise _Failure(f"{options['public_key']}: not an RSA public key in PEM form") from None
    return world


def _clock(scale: float, start: datetime, origin_wall: datetime) -> Clock:
    if scale < 0:
        raise click.BadParameter("must not be negative", param_hint="--clock-scale")
    if scale == 0:
        return SteppedClock(start)
    return ScaledClock(_system_now, origin_simulated=start, origin_wall=origin_wall, scale=scale)


def _read_scenario(path: Path) -> Scenario:
    """Read a scenario; a CSV curve may name its file as `path`, relative to the scenario."""
    try:
        content = json.loads(_read(path))
        _inline_csv(content, path.parent)
        return Scenario.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _Failure(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise _Failure(f"{path}: {error}") from None


def _inline_csv(node: object, directory: Path) -> None:
    if isinstance(node, dict):
        if node.get("kind") == "csv" and "path" in node:
            node["text"] = _read(directory / str(node.pop("path")))
        for child in node.values():
            _inline_csv(child, directory)
    elif isinstance(node, list):
        for child in node:
            _inline_csv(child, directory)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _Failure(f"{path}: {error.strerror}") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _Failure(f"{text!r} is not an ISO 8601 time such as 2026-01-15T12:00:00Z") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _system_now() -> datetime:
    return datetime.now(UTC)
