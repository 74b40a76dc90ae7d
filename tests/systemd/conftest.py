"""The world of the systemd test: simulated OCI and central outside, a node with systemd inside."""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.install.release import from_file
from poolkeeper.demo.stage import OPENING, SCALE, Stage
from tests.nspawn import (
    Machine,
    base_system,
    cache_directory,
    require_host,
    scratch_directory,
)

ROOT = Path(__file__).resolve().parents[2]
UNIT = "poolkeeper-agent.service"


@dataclass(frozen=True)
class World:
    """What runs outside, and the node."""

    stage: Stage
    node: Machine
    clock: str

    def field(self, name: str) -> str:
        """A property of the agent's unit."""
        return self.node.show(UNIT, name)


@pytest.fixture(scope="session")
def base() -> Path:
    """The Debian that nodes are copies of; where none can boot, all fails with the reason."""
    require_host()
    return base_system()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this tree."""
    directory = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory), str(ROOT))
    return next(directory.glob("poolkeeper-*.whl"))


@pytest.fixture(scope="session")
def wheels(wheel: Path) -> Path:
    """Every wheel that the agent is pinned to, for the Python of the node; kept in the cache."""
    pins = from_file(wheel).requirements
    digest = hashlib.sha256(pins.encode()).hexdigest()[:12]
    kept = cache_directory() / f"wheels-{platform.machine()}-{digest}"
    if not kept.is_dir():
        begun = kept.with_name(f"{kept.name}.begun")
        begun.mkdir(parents=True, exist_ok=True)
        listed = begun / "pins.txt"
        listed.write_text(pins)
        fit = ("--only-binary=:all:", "--python-version=3.11", "--implementation=cp")
        abis = ("--abi=cp311", "--abi=abi3", "--abi=none")
        pip("download", *fit, *abis, "--require-hashes", "-r", str(listed), "-d", str(begun))
        begun.rename(kept)
    return kept


@pytest.fixture(scope="session")
def stage(base: Path) -> Iterator[Stage]:
    directory = Path(tempfile.mkdtemp(prefix="poolkeeper-systemd-"))
    directory.chmod(0o711)  # started by root, PostgreSQL runs as an account that must pass through
    stage = Stage(directory, datetime.now(UTC))
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def world(base: Path, stage: Stage, wheel: Path, wheels: Path) -> Iterator[World]:
    """A node that has booted; what an operator brings along lies in /root/release."""
    directory = Path(tempfile.mkdtemp(prefix="poolkeeper-node-", dir=scratch_directory()))
    root = directory / "root"
    try:
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
        luggage = root / "root" / "release"
        shutil.copytree(wheels, luggage / "wheels")
        shutil.copy(wheel, luggage)
        shutil.copytree(stage.directory / "oci", luggage / "oci")
        profile = luggage / "oci" / "config"
        profile.write_text(profile.read_text().replace(f"{stage.directory}/", "/root/release/"))
        (luggage / "node.key").write_text(stage._key)
        drop_in = root / f"etc/systemd/system/{UNIT}.d/50-test.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nWatchdogSec=10\n")  # an operator's override; 90 s are long
        node = Machine(root, directory / "nspawn.log")
        node.boot()
        try:
            yield World(stage, node, clock_of(stage))
        finally:
            node.stop()
    finally:
        shutil.rmtree(directory)


def clock_of(stage: Stage) -> str:
    """The setting that lets the agent live in the simulator's fast time."""
    wall = stage._wall_origin.isoformat()
    return f"scale={SCALE:g};simulated={OPENING.isoformat()};wall={wall}"


def pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True)
