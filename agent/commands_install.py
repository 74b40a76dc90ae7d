"""`poolkeeper agent install`, `upgrade` and `uninstall`: the composition root of the installer."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

import click

from agent.errors import SettingsError
from agent.install.execute import execute, probe
from agent.install.facts import Facts, gather
from agent.install.layout import UNIT, Layout
from agent.install.plan import Wishes, plan_install, plan_rollback, plan_uninstall
from agent.install.pythons import base_python
from agent.install.release import read_release
from agent.install.settings_file import from_oci_profile
from agent.install.steps import InstallError, Step
from agent.install.unit_state import UnitState, came_up, read_state

EXIT_FAILURE = 2
_SETTLE_SECONDS = 60.0
_FILE = click.Path(path_type=Path, dir_okay=False)
_DIRECTORY = click.Path(path_type=Path, file_okay=False)

_FROM = click.option("--from", "source", type=_FILE, help="Wheel or sdist; default: this one.")
_WHEELS = click.option("--wheels", type=_DIRECTORY, help="Every dependency; no index is asked.")
_ROOT = click.option("--root", type=_DIRECTORY, default=Path("/"), help="Below this, not /.")
_DRY = click.option("--dry-run", is_flag=True, help="Print the steps and do nothing.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON.")


class _Options(TypedDict):
    source: Path | None
    wheels: Path | None
    root: Path
    dry_run: bool
    as_json: bool


class _InstallOptions(_Options):
    central_url: str | None
    key_file: str | None
    enroll_token_file: str | None
    node_name: str | None
    region: str | None
    config: Path | None
    guard: Path | None
    oci_config: Path | None
    oci_profile: str
    settings: tuple[str, ...]


class _Failure(click.ClickException):
    exit_code = EXIT_FAILURE


@click.command()
@click.option("--central-url", help="https://… of the central store.")
@click.option("--key-file", help="File with the node's key; - reads standard input.")
@click.option(
    "--enroll-token-file", help="File with an enrolment token, instead of a key; - reads stdin."
)
@click.option("--node-name", help="What the enrolled node shall be called.")
@click.option("--region", help="Of the enrolled node; left out when its token is for one.")
@click.option("--config", type=_FILE, help="A local configuration, copied to /etc/poolkeeper.")
@click.option("--guard", type=_FILE, help="What no configuration may exceed; copied as well.")
@click.option("--oci-config", type=_FILE, help="Sign with this API key, not as the instance.")
@click.option("--oci-profile", default="DEFAULT", show_default=True, help="Profile in it.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Further settings.")
@_FROM
@_WHEELS
@_ROOT
@_DRY
@_JSON
def install(**options: Unpack[_InstallOptions]) -> None:
    """Install or correct the agent's service on this node. A second run changes nothing."""

    def _plan(facts: Facts) -> list[Step]:
        settings, credentials = _settings(options), dict[str, bytes]()
        if options["key_file"] is not None:
            credentials["api_key"] = _key(options["key_file"])
        elif options["enroll_token_file"] is not None:
            credentials |= _enrolled(options, facts)
        if options["oci_config"] is not None:
            named, key_file = from_oci_profile(options["oci_config"], options["oci_profile"])
            settings |= named
            credentials["oci_key.pem"] = _read(key_file)
        wishes = Wishes(
            read_release(options["source"]),
            options["wheels"],
            settings,
            credentials,
            _read(options["config"]) if options["config"] else None,
            _read(options["guard"]) if options["guard"] else None,
        )
        return plan_install(facts, wishes)

    _carry_out(options, _plan)
    if options["root"] == Path("/") and not options["dry_run"]:
        click.echo(str(read_state(probe)), err=True)


@click.command()
@click.option("--rollback", is_flag=True, help="Go back to the release before.")
@_FROM
@_WHEELS
@_ROOT
@_DRY
@_JSON
def upgrade(*, rollback: bool, **options: Unpack[_Options]) -> None:
    """Switch to another release; one that does not come up is rolled back."""

    def _plan(facts: Facts) -> list[Step]:
        if rollback:
            return plan_rollback(facts)
        if facts.current is None:
            raise InstallError("no agent is installed here: use `poolkeeper agent install`")
        return plan_install(facts, Wishes(read_release(options["source"]), options["wheels"]))

    before = _carry_out(options, _plan)
    if not before.layout.is_live or options["dry_run"]:
        return
    is_new = _current(before.layout) != before.current
    if is_new and before.unit.active == "active" and not _came_up(before.unit):
        if not rollback:
            _carry_out(options, plan_rollback)
        raise _Failure(f"the other release did not come up; see journalctl -u {UNIT}")
    click.echo(str(read_state(probe)), err=True)


@click.command()
@click.option("--purge", is_flag=True, help="Settings, secrets and state, too.")
@_ROOT
@_DRY
@_JSON
def uninstall(*, purge: bool, root: Path, dry_run: bool, as_json: bool) -> None:
    """Stop and remove the agent. Settings, secrets and state stay unless --purge is given."""
    options = _Options(source=None, wheels=None, root=root, dry_run=dry_run, as_json=as_json)
    _carry_out(options, lambda facts: plan_uninstall(facts, purge=purge))


def _carry_out(options: _Options, plan: Callable[[Facts], list[Step]]) -> Facts:
    """Gather, plan, do; return the facts as they were before."""
    layout = Layout(options["root"].absolute())
    if layout.is_live and os.geteuid() != 0 and not options["dry_run"]:
        raise _Failure("only root can change this node's services: run it with sudo")
    told: list[str] = []
    tell = told.append if options["as_json"] else click.echo
    try:
        facts = gather(layout, base_python(), probe)
        steps = plan(facts)
        if options["dry_run"]:
            for step in steps:
                tell(str(step))
        else:
            execute(steps, lambda step: tell(str(step)))
    except (InstallError, OSError) as error:
        raise _Failure(str(error)) from None
    if options["as_json"]:
        click.echo(json.dumps({"dry_run": options["dry_run"], "steps": told}, indent=2))
    elif not steps:
        click.echo("Nothing to do.")
    return facts


def _came_up(before: UnitState) -> bool:
    return came_up(before, lambda: read_state(probe), time.sleep, _SETTLE_SECONDS)


def _current(layout: Layout) -> str | None:
    return layout.current.readlink().name if layout.current.is_symlink() else None


def _settings(options: _InstallOptions) -> dict[str, str]:
    settings = {}
    for pair in options["settings"]:
        name, separator, value = pair.partition("=")
        if not separator:
            raise InstallError(f"--set {pair!r} is not of the form NAME=VALUE")
        settings[name] = value
    if options["central_url"] is not None:
        settings["POOLKEEPER_CENTRAL_URL"] = options["central_url"]
    return settings


def _enrolled(options: _InstallOptions, facts: Facts) -> dict[str, bytes]:
    """Become a node, unless this machine has a key already."""
    from agent import enrolment  # noqa: PLC0415 # the agent itself must start without

    key_file = facts.layout.credentials / "api_key"
    if key_file in facts.files:
        return {}
    url, name = options["central_url"], options["node_name"]
    if url is None or name is None:
        raise InstallError("--enroll-token-file also needs --central-url and --node-name")
    if options["dry_run"]:
        return {"api_key": b"what central will give\n"}
    settings = _settings(options)
    ca_file = settings.get("POOLKEEPER_CENTRAL_CA_FILE")
    try:
        token = enrolment.token_of(options["enroll_token_file"] or "-", sys.stdin.read)
        candidate = enrolment.Candidate(name, options["region"], token, key_file)
        with enrolment.client(url, Path(ca_file) if ca_file else None) as http:
            made = enrolment.enrol(http, candidate, time.sleep)
    except (enrolment.EnrolmentError, SettingsError) as error:
        raise InstallError(str(error)) from error
    return {"api_key": made.api_key.encode() + b"\n"}


def _key(source: str) -> bytes:
    key = sys.stdin.read().encode() if source == "-" else _read(Path(source))
    if len(key.split()) != 1:
        raise InstallError("the node key must be one word; what was given is empty or has several")
    return key.strip() + b"\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}") from error
