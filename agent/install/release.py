"""What is to be installed: a wheel, a source archive, or the distribution that is running."""

import base64
import hashlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from importlib.metadata import Distribution, distribution
from pathlib import Path

from agent.install.layout import UNIT
from agent.install.lock import roots, subset
from agent.install.steps import InstallError

_LOCK = "requirements.lock"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_NOT_IN_WHEELS = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


@dataclass(frozen=True, slots=True)
class Release:
    """One release of Poolkeeper.

    Attributes:
        version: as its metadata says.
        file_name: under which pip knows what kind of archive it is.
        content: the archive.
        unit: the systemd unit that belongs to this release.
        requirements: pins with hashes of what its agent needs.
    """

    version: str
    file_name: str
    content: bytes = field(repr=False)
    unit: bytes = field(repr=False)
    requirements: str = field(repr=False)

    @property
    def name(self) -> str:
        """Version and digest: two builds of one version are two releases."""
        return f"{self.version}-{hashlib.sha256(self.content).hexdigest()[:8]}"


def read_release(source: Path | None) -> Release:
    """Read the release in a file, or the one that runs.

    Raises:
        InstallError: there is no such release.
    """
    if source is not None:
        return from_file(source)
    kept = sorted(Path(sys.prefix).glob("poolkeeper-*"))  # an installed one keeps its archive
    return from_file(kept[0]) if kept else from_running(distribution("poolkeeper"))


def from_file(path: Path) -> Release:
    """Read a release from a wheel or a source archive.

    Raises:
        InstallError: it is neither, or not of Poolkeeper's agent.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".whl":
            return _from_wheel(path.name, content)
        if path.name.endswith(".tar.gz"):
            return _from_source(path.name, content)
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InstallError(f"{path} cannot be read: {error}") from error
    raise InstallError(f"{path} is neither a wheel (.whl) nor a source archive (.tar.gz)")


def from_running(distribution: Distribution) -> Release:
    """Pack the installed distribution into the wheel that it came from.

    Raises:
        InstallError: it runs from a source tree, so there are no files to pack.
    """
    name = f"{distribution.name}-{distribution.version}"
    members = {
        str(file): Path(str(distribution.locate_file(file))).read_bytes()
        for file in distribution.files or ()
        if file.parts[0] != ".."
        and file.suffix != ".pyc"
        and not (file.parts[0].endswith(".dist-info") and file.name in _NOT_IN_WHEELS)
    }
    if f"agent/install/{UNIT}" not in members:
        raise InstallError(
            "this poolkeeper runs from a source tree: build a wheel (pip wheel --no-deps .) and"
            " name it with --from"
        )
    members[f"{name}.dist-info/RECORD"] = _record(members, f"{name}.dist-info/RECORD")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in sorted(members):
            packed.writestr(zipfile.ZipInfo(member, _EPOCH), members[member])
    return _from_wheel(f"{name}-py3-none-any.whl", archive.getvalue())


def _record(members: dict[str, bytes], own_name: str) -> bytes:
    def line(name: str, content: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        return f"{name},sha256={digest},{len(content)}\n"

    lines = [line(name, content) for name, content in sorted(members.items())]
    return "".join([*lines, f"{own_name},,\n"]).encode()


def _from_wheel(file_name: str, content: bytes) -> Release:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        info = next((n for n in archive.namelist() if n.endswith(".dist-info/METADATA")), "")
        names = (info, f"agent/install/{UNIT}", f"agent/install/{_LOCK}")
        return _release(file_name, content, archive.read, names)


def _from_source(file_name: str, content: bytes) -> Release:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        top = file_name.removesuffix(".tar.gz")

        def read(name: str) -> bytes:
            member = archive.extractfile(name)
            if member is None:
                raise KeyError(name)
            return member.read()

        names = (f"{top}/PKG-INFO", f"{top}/systemd/{UNIT}", f"{top}/{_LOCK}")
        return _release(file_name, content, read, names)


def _release(
    file_name: str, content: bytes, read: Callable[[str], bytes], names: tuple[str, str, str]
) -> Release:
    try:
        metadata, unit, lock = (read(name) for name in names)
    except KeyError:
        raise InstallError(f"{file_name} holds no poolkeeper agent") from None
    fields = BytesParser().parsebytes(metadata)
    wanted = roots(fields.get_all("Requires-Dist", []), "agent")
    try:
        requirements = subset(lock.decode(), wanted)
    except ValueError as error:
        raise InstallError(f"{file_name}: {error}") from error
    return Release(str(fields["Version"]), file_name, content, unit, requirements)
