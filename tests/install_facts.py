"""Facts and releases for tests of the installer: a node is a value here."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.install.facts import Facts
from agent.install.layout import Layout
from agent.install.plan import Wishes
from agent.install.pythons import Python
from agent.install.release import Release

PYTHON = Python(Path("/usr/bin/python3.11"), (3, 11), has_venv=True)
UNIT_TEXT = b"[Service]\nExecStart=/opt/poolkeeper/current/bin/python\n"


def release(version: str = "1.0", content: bytes = b"archive") -> Release:
    name = f"poolkeeper-{version}-py3-none-any.whl"
    return Release(version, name, content, UNIT_TEXT, "click==8 --hash=sha256:0\n")


def empty_node(root: Path = Path("/"), **facts: Any) -> Facts:
    return replace(Facts(Layout(root), lambda: PYTHON, {}), **facts)


def with_central(version: str = "1.0", **wishes: Any) -> Wishes:
    settings = {"POOLKEEPER_CENTRAL_URL": "https://central.example.com"}
    wanted = Wishes(release(version), settings=settings, credentials={"api_key": b"pk_secret\n"})
    return replace(wanted, **wishes)


def tiny_wheel(directory: Path, version: str, unit: bytes = UNIT_TEXT) -> Path:
    """A wheel that looks like Poolkeeper, needs nothing, installs in a moment and cannot run."""
    info = f"poolkeeper-{version}.dist-info"
    modules = ["agent/commands.py", "agent/loop.py", "agent/planning.py", "agent/checking.py"]
    modules += ["poolkeeper/cli.py", "agent/__init__.py", "poolkeeper/__init__.py"]
    metadata = f"Metadata-Version: 2.1\nName: poolkeeper\nVersion: {version}\n"
    members = {
        **dict.fromkeys(modules, ""),
        "agent/install/poolkeeper-agent.service": unit.decode() + f"# {version}\n",
        "agent/install/requirements.lock": "",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    members[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*members, f"{info}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    path = directory / f"poolkeeper-{version}-py3-none-any.whl"
    path.write_bytes(packed.getvalue())
    return path
