"""A small Debian with systemd as its first process, in systemd-nspawn; nothing of it is mocked.

It shares the network of the host, so that loopback addresses reach what runs outside.
"""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates"
TOOLS = ("systemd-nspawn", "debootstrap", "nsenter", "unshare")
CGROUPS = Path("/sys/fs/cgroup")
ASKED_FOR_REBOOT = 133
"""Exit status of nspawn, see RestartForceExitStatus= in systemd-nspawn@.service."""
_NODE_BYTES = 4 << 30
_CLEAN = (
    "env",
    "-i",
    "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
)


class CannotBootError(Exception):
    """This machine cannot boot a container; the sentence says why."""


def require_host() -> None:
    """Raise CannotBootError when nspawn cannot work here."""
    if os.geteuid() != 0:
        raise CannotBootError("systemd-nspawn needs root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise CannotBootError(
            f"{', '.join(missing)} missing: apt-get install systemd-container debootstrap"
        )
    if "cgroup2" not in Path("/proc/filesystems").read_text():
        raise CannotBootError("the kernel has no cgroup2")


def cache_directory() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "poolkeeper"


def scratch_directory() -> Path:
    """Where a node may lie: in memory when there is room, since it is 30,000 files big."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > _NODE_BYTES
    return memory if is_roomy else cache_directory()


def base_system() -> Path:
    """A fresh Debian below the cache, made by debootstrap once."""
    root = cache_directory() / f"debian-{SUITE}-{platform.machine()}"
    if root.is_dir():
        return root
    begun = root.with_name(f"{root.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    begun.parent.mkdir(parents=True, exist_ok=True)
    words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(begun)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBootError(f"debootstrap failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    shutil.rmtree(begun / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(begun / "var/lib/apt/lists", ignore_errors=True)
    begun.rename(root)
    return root


def wait_until(what: str, look: Callable[[], object], limit: float) -> float:
    """Wait until `look` is truthy; return after how many seconds it was."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < limit, f"{what}: not within {limit:g} s"
        time.sleep(0.1)
    return time.monotonic() - began


@dataclass(frozen=True)
class Answer:
    status: int
    output: str


class Machine:
    """A container: `boot`, `run` commands in it, `stop`."""

    def __init__(self, root: Path, log: Path) -> None:
        self.root = root
        self.log = log
        self._cgroup = f"poolkeeper-test-{os.getpid()}"
        self._nspawn: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        with self.log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                self._words(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wait_for_boot()

    def wait_for_boot(self) -> None:
        """Until systemd has started everything that starts at boot."""
        wait_until("the container's systemd does not come up", self._is_booted, 60)

    def run(self, *words: str, text: str = "", check: bool = True) -> Answer:
        """Run a command inside, as root."""
        leader = self._leader()
        assert leader is not None, f"the container is not running: {self.log.read_text()[-800:]}"
        enter = ("nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid")
        done = subprocess.run(
            [*enter, "--root", "--wd", *_CLEAN, *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"{' '.join(words)}: {output[-3000:]}"
        return Answer(done.returncode, output)

    def show(self, unit: str, field: str) -> str:
        """A property of a unit; empty while systemd does not answer."""
        answer = self.run("systemctl", "show", f"--property={field}", "--value", unit, check=False)
        return answer.output.strip() if answer.status == 0 else ""

    def reboot(self) -> None:
        """Reboot from inside; the unit of nspawn itself would start it anew in the same way."""
        before, nspawn = self._leader(), self._nspawn
        assert nspawn is not None
        self.run("systemctl", "--no-block", "reboot")
        wait_until(
            "the container does not reboot",
            lambda: nspawn.poll() is not None or self._leader() not in {None, before},
            60,
        )
        if nspawn.poll() == ASKED_FOR_REBOOT:
            self.boot()
        self.wait_for_boot()

    def stop(self) -> None:
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None:
            if self._leader() is not None:
                self.run("systemctl", "--no-block", "poweroff", check=False)
            try:
                self._nspawn.wait(30)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        self._nspawn = None

    def _words(self) -> list[str]:
        boot = ["systemd-nspawn", f"--directory={self.root}", "--boot", "--register=no"]
        boot += ["--machine=poolkeeper-test", "--console=pipe", "--resolv-conf=off"]
        if Path("/run/systemd/system").is_dir():
            return boot
        # No systemd outside: a mount namespace of our own with the unified hierarchy, and in it a
        # cgroup of our own for nspawn to hand on.
        script = (
            'set -e; if [ ! -e "$1/cgroup.controllers" ]; then umount -R "$1" 2>/dev/null || true;'
            ' mkdir -p "$1"; mount -t cgroup2 cgroup2 "$1"; fi; mount -t tmpfs tmpfs /run;'
            ' mkdir -p "$1/$2"; echo $$ > "$1/$2/cgroup.procs"; shift 2; exec "$@"'
        )
        own = ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh"]
        return [*own, str(CGROUPS), self._cgroup, *boot, "--keep-unit"]

    def _leader(self) -> int | None:
        """The container's first process, as seen from outside."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return None
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        try:
            found = [int(child) for child in children.read_text().split()]
            systemds = [one for one in found if "systemd" in Path(f"/proc/{one}/comm").read_text()]
        except OSError:
            return None
        return systemds[0] if systemds else None

    def _is_booted(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, f"nspawn ended: {self.log.read_text()[-1500:]}"
        if self._leader() is None:
            return False
        said = self.run("systemctl", "is-system-running", check=False).output.strip()
        return said in {"running", "degraded"}
