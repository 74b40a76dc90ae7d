"""Reading a release from a wheel, a source archive, or the running installation."""

import io
import tarfile
import zipfile
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from agent.install.release import from_file, from_running
from agent.install.steps import InstallError
from tests.install_facts import UNIT_TEXT, tiny_wheel


def test_a_wheel_brings_its_version_unit_and_pins(tmp_path: Path) -> None:
    found = from_file(tiny_wheel(tmp_path, "1.2"))
    assert found.version == "1.2"
    assert found.unit.startswith(UNIT_TEXT)
    assert found.name.startswith("1.2-")


def test_two_builds_of_one_version_are_two_releases(tmp_path: Path) -> None:
    one = tiny_wheel(tmp_path, "1.2")
    first = from_file(one)
    with zipfile.ZipFile(one, "a") as archive:
        archive.writestr("agent/more.py", "")
    assert from_file(one).name != first.name


def test_a_source_archive_brings_the_same(tmp_path: Path) -> None:
    members = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: poolkeeper\nVersion: 1.3\n",
        "systemd/poolkeeper-agent.service": UNIT_TEXT,
        "requirements.lock": b"",
    }
    path = tmp_path / "poolkeeper-1.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"poolkeeper-1.3/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    found = from_file(path)
    assert (found.version, found.unit) == ("1.3", UNIT_TEXT)


def test_what_runs_is_packed_into_a_wheel_again(tmp_path: Path) -> None:
    with zipfile.ZipFile(tiny_wheel(tmp_path, "1.4")) as archive:
        archive.extractall(tmp_path / "site")
    found = from_running(installed(tmp_path / "site"))
    assert (found.version, found.file_name) == ("1.4", "poolkeeper-1.4-py3-none-any.whl")
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        record = archive.read("poolkeeper-1.4.dist-info/RECORD").decode()
        assert {line.split(",")[0] for line in record.splitlines()} == set(archive.namelist())
    assert found.name == from_running(installed(tmp_path / "site")).name


def installed(site: Path) -> Distribution:
    return PathDistribution(next(site.glob("*.dist-info")))


def test_a_source_tree_is_no_release(tmp_path: Path) -> None:
    info = tmp_path / "poolkeeper-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: poolkeeper\nVersion: 0\n")
    (info / "RECORD").write_text("_editable.pth,,\n")
    (tmp_path / "_editable.pth").write_text("/src\n")
    with pytest.raises(InstallError, match="runs from a source tree"):
        from_running(PathDistribution(info))


def test_what_is_no_release_is_told_so(tmp_path: Path) -> None:
    other = tmp_path / "other-1.0-py3-none-any.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("other.py", "")
    torn = tmp_path / "poolkeeper-1-py3-none-any.whl"
    torn.write_bytes(b"PK")
    cases = {other: "no poolkeeper agent", torn: "cannot be read", tmp_path / "a.rpm": "neither"}
    for path, sentence in cases.items():
        path.touch()
        with pytest.raises(InstallError, match=sentence):
            from_file(path)
