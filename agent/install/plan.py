"""From facts and wishes to steps. Nothing here touches the node."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.install.environment import make_environment
from agent.install.facts import Facts
from agent.install.layout import CREDENTIALS, UNIT, Layout
from agent.install.release import Release
from agent.install.settings_file import merge, value_of
from agent.install.steps import (
    InstallError,
    Link,
    MakeDirectory,
    Remove,
    RemoveIfEmpty,
    Run,
    Step,
    WriteFile,
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an operator asks for; what is not named stays as it is.

    Attributes:
        release: what to install.
        wheels: a directory that holds every dependency, for a node without a package index.
        settings: changes to the settings file.
        credentials: new secrets by name.
        config: a local configuration.
        guard: a local guard file.
    """

    release: Release
    wheels: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    config: bytes | None = None
    guard: bytes | None = None


def plan_install(facts: Facts, wishes: Wishes) -> list[Step]:
    """Return the steps that bring the node to what is wished; none when it is there already.

    Raises:
        InstallError: no fit Python, or a setting that cannot work.
    """
    layout, release = facts.layout, wishes.release
    steps = _directories(facts)
    steps += make_environment(facts, release, wishes.wheels)
    files = _changed(facts, _files(facts, wishes))
    steps += files
    steps += _links(facts, release.name)
    if facts.has_restorecon and steps:
        words = ("restorecon", "-R", str(layout.home), str(layout.etc), str(layout.unit))
        steps.append(Run(words, "SELinux labels", may_fail=True))
    steps += _start(facts, changed=bool(steps))
    keep = {release.name, _previous(facts, release.name)}
    old = sorted((facts.environments | facts.partial) - keep)
    return [*steps, *(Remove(layout.environments / name) for name in old)]


def plan_rollback(facts: Facts) -> list[Step]:
    """Return the steps that bring back the release before the current one.

    Raises:
        InstallError: there is none.
    """
    if facts.previous is None or facts.previous not in facts.environments:
        raise InstallError("no previous release is kept on this node")
    layout = facts.layout
    unit = layout.environments / facts.previous / UNIT
    steps: list[Step] = [Link(layout.current, f"releases/{facts.previous}")]
    if facts.current:
        steps.append(Link(layout.previous, f"releases/{facts.current}"))
    if unit.is_file():
        steps += _changed(facts, [WriteFile(layout.unit, unit.read_bytes())])
    return [*steps, *_start(facts, changed=True)]


def plan_uninstall(facts: Facts, *, purge: bool) -> list[Step]:
    """Return the steps that remove the agent; settings, secrets and state only with `purge`."""
    layout = facts.layout
    steps: list[Step] = []
    if layout.unit in facts.files:
        if layout.is_live:
            steps.append(Run(("systemctl", "disable", "--now", UNIT), "stop the agent"))
        elif facts.is_enabled:
            steps.append(Remove(layout.wanted))
        steps.append(Remove(layout.unit))
    if layout.drop_in in facts.files:
        steps += [Remove(layout.drop_in), RemoveIfEmpty(layout.drop_in.parent)]
    if steps and layout.is_live:
        steps.append(Run(("systemctl", "daemon-reload"), "forget the unit"))
    if facts.command == _command_target(layout):
        steps.append(Remove(layout.command))
    if layout.home in facts.files:
        steps.append(Remove(layout.home))
    if purge:
        steps += [Remove(path) for path in (layout.etc, *layout.state) if path.exists()]
    return steps


def _directories(facts: Facts) -> list[Step]:
    layout = facts.layout
    wanted = {layout.home: 0o755, layout.environments: 0o755, layout.etc: 0o755}
    wanted[layout.credentials] = 0o700
    return [
        MakeDirectory(path, mode)
        for path, mode in wanted.items()
        if path not in facts.files or facts.files[path].mode != mode
    ]


def _files(facts: Facts, wishes: Wishes) -> list[WriteFile]:
    layout = facts.layout
    settings = dict(wishes.settings)
    if wishes.config is not None:
        settings["POOLKEEPER_AGENT_OPTIONS"] = f"--config {layout.on_node(layout.config)}"
    if wishes.guard is not None:
        settings["POOLKEEPER_GUARD_FILE"] = layout.on_node(layout.guard)
    text = merge(facts.settings, settings)
    present = {name for name in CREDENTIALS if layout.credentials / name in facts.files}
    present |= wishes.credentials.keys()
    _check(text, present)
    files = [
        WriteFile(layout.unit, wishes.release.unit),
        WriteFile(layout.drop_in, _drop_in(layout, present)),
        WriteFile(layout.settings, text.encode()),
        *(WriteFile(layout.credentials / name, c, 0o600) for name, c in wishes.credentials.items()),
    ]
    if wishes.config is not None:
        files.append(WriteFile(layout.config, wishes.config))
    if wishes.guard is not None:
        files.append(WriteFile(layout.guard, wishes.guard))
    return files


def _check(settings: str, credentials: set[str]) -> None:
    if value_of(settings, "POOLKEEPER_CENTRAL_URL"):
        if "api_key" not in credentials:
            raise InstallError(
                "a central is set but no node key: give it with --key-file, or enrol this machine"
                " with --enroll-token-file and --node-name"
            )
    elif value_of(settings, "POOLKEEPER_AGENT_OPTIONS") is None:
        raise InstallError("neither a central (--central-url) nor a configuration (--config)")
    if value_of(settings, "POOLKEEPER_OCI_AUTH") == "api_key" and "oci_key.pem" not in credentials:
        raise InstallError("POOLKEEPER_OCI_AUTH=api_key needs a private key: give --oci-config")


def _drop_in(layout: Layout, names: set[str]) -> bytes:
    lines = ["# Written by `poolkeeper agent install`: the credentials that exist.", "[Service]"]
    where = layout.on_node(layout.credentials)
    lines += [f"LoadCredential={name}:{where}/{name}" for name in CREDENTIALS if name in names]
    return "".join(f"{line}\n" for line in lines).encode()


def _changed(facts: Facts, files: list[WriteFile]) -> list[Step]:
    def differs(file: WriteFile) -> bool:
        fact = facts.files.get(file.path)
        digest = hashlib.sha256(file.content).hexdigest()
        return fact is None or fact.mode != file.mode or fact.digest != digest

    return [file for file in files if differs(file)]


def _links(facts: Facts, name: str) -> list[Step]:
    layout, steps = facts.layout, list[Step]()
    if facts.current != name:
        if (previous := _previous(facts, name)) and previous != facts.previous:
            steps.append(Link(layout.previous, f"releases/{previous}"))
        steps.append(Link(layout.current, f"releases/{name}"))
    if facts.command != _command_target(layout):
        steps.append(Link(layout.command, _command_target(layout)))
    return steps


def _previous(facts: Facts, name: str) -> str | None:
    """The release to go back to: the one that was current, unless that is this one."""
    return facts.current if facts.current != name else facts.previous


def _command_target(layout: Layout) -> str:
    return f"{layout.on_node(layout.current)}/bin/poolkeeper"


def _start(facts: Facts, *, changed: bool) -> list[Step]:
    """Without waiting: a first start lasts until central has a configuration for the node."""
    layout, steps = facts.layout, list[Step]()
    if layout.is_live and changed:
        steps.append(Run(("systemctl", "daemon-reload"), "read the unit"))
    if not facts.is_enabled and layout.is_live:
        steps.append(Run(("systemctl", "--quiet", "enable", UNIT), "at boot"))
    elif not facts.is_enabled:
        steps.append(Link(layout.wanted, layout.on_node(layout.unit)))
    if layout.is_live and (changed or not facts.unit.is_started):
        steps.append(Run(("systemctl", "--no-block", "restart", UNIT), "run this release"))
    return steps
