"""Kill an agent at every system call that makes something last: `python -m tests.kill_syscalls`.

A life applies a configuration, resizes the pool and tells both. strace(1) ends it by SIGKILL as it
enters its Nth fsync, fdatasync (SQLite's commit), rename, link or unlink, or write into SQLite's
files; N grows until a life is not killed any more. No line of the agent is changed for it. After
each kill another life works in peace, and all that must hold is checked. Needs strace and a system
that lets a process be traced. Prints JSON; exit 1 when an invariant is broken.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from agent.files import unseal
from agent.service import Agent
from tests.kill_life import Place, SimulatedTime, build
from tests.kill_loop import Loop, broken

KINDS = {
    "fsync": "fsync",
    "commit": "fdatasync",
    "rename": "?rename,?renameat,?renameat2",
    "link": "?link,?linkat,?unlink,?unlinkat",
    "page": "pwrite64",
}
STEPS = {"page": 3}  # the commits that pages belong to are swept one by one
"""What a kill is at, and the system calls that it is called by on any architecture."""
PATIENCE = 30.0
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


def act(agent: Agent, clock: SimulatedTime) -> None:
    """Take in a configuration, resize once, tell, and see it settle."""
    agent.beat()
    for _ in range(2):
        clock.advance(30)
        agent.tick()
        agent.beat()


def recover(agent: Agent, clock: SimulatedTime) -> None:
    """Make good what a kill left open, and wait until the next resize may come."""
    agent.beat()
    for _ in range(4):
        clock.advance(30)
        agent.tick()
    while agent.outbox.pending():
        agent.beat()
    agent.beat()


def fork(place: Place, work: Callable[[Agent, SimulatedTime], None]) -> tuple[int, int]:
    """Fork a life that begins when its pipe is closed; return its process and the pipe."""
    wait, begin = os.pipe()
    child = os.fork()
    if child:
        os.close(wait)
        return child, begin
    code = 1
    try:
        os.close(begin)
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY)  # where only ancestors may trace (Yama)
        os.read(wait, 1)
        clock = SimulatedTime(place.simulator)
        agent = build(place, clock)
        agent.start()
        work(agent, clock)
        agent.close()
        code = 0
    finally:
        os._exit(code)


def is_traced(process: int) -> bool:
    return "\nTracerPid:\t0\n" not in Path(f"/proc/{process}/status").read_text()


def killed_at(place: Place, calls: str, number: int) -> bool:
    """Live until the Nth of some system calls; return whether there were as many."""
    child, begin = fork(place, act)
    words = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(child), "-e", f"trace={calls}"]
    words += ["-e", f"inject={calls}:signal=KILL:when={number}"]
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE
    while not is_traced(child):
        if tracer.poll() is not None or time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            told = tracer.stderr.read() if tracer.stderr and tracer.poll() is not None else ""
            raise SystemExit(f"strace cannot trace here: {told or 'it does not attach'}")
        time.sleep(0.002)
    os.close(begin)
    ended = wait_for(child)
    tracer.communicate()
    return ended


def wait_for(child: int) -> bool:
    """Wait for a life to end; return whether it was killed."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status) != 0:
        raise AssertionError("a life ended by an error, not by a kill")
    return False


def in_peace(loop: Loop) -> None:
    child, begin = fork(loop.place, recover)
    os.close(begin)
    if wait_for(child):
        raise AssertionError("a life was killed by somebody else")


def torn(state: Path) -> list[str]:
    """Return the files that were torn by a kill: a sealed file is always whole."""
    found = []
    for path in [
        *state.glob("*.json"),
        *state.glob("*.json.previous"),
        *state.glob("writes/*.json"),
    ]:
        try:
            unseal(path.read_text("utf-8"))
        except Exception as error:  # noqa: BLE001 # any way of being unreadable is one
            found.append(f"{path.name}: {error}")
    return [*found, *(path.name for path in state.rglob("*.corrupt-*"))]


def want_a_resize(loop: Loop) -> None:
    """Give the next life a configuration to apply and a load to answer."""
    (pool,) = loop.admin("GET", "state")["pools"]
    curve = {"kind": "constant", "value": 780 if pool["size"] <= 4 else 60}
    loop.admin("POST", "demand", {"pool": "web", "curve": curve})
    loop.admin("POST", "clock", {"advance_seconds": 240})
    loop.push()


def sweep(loop: Loop, calls: str, step: int) -> tuple[int, list[str]]:
    """Kill at every `step`th of some system calls; return how many kills, and what broke."""
    for kills, number in enumerate(range(1, 1000, step)):
        want_a_resize(loop)
        if not killed_at(loop.place, calls, number):
            in_peace(loop)
            return kills, []
        problems = [f"torn: {name}" for name in torn(loop.place.home / "state")]
        in_peace(loop)
        problems += broken(loop, {"fds": 0, "threads": 0, "rss_kib": 0})
        if problems:
            return kills + 1, [f"killed at {calls} {number}: {problem}" for problem in problems]
    raise AssertionError("a life has no thousand system calls of a kind")


def main() -> int:
    """Sweep over every kind; return the exit code."""
    if shutil.which("strace") is None:
        raise SystemExit("strace is not installed: apt-get install strace")
    with ExitStack() as stack:
        loop = Loop(stack, 5)
        loop.push()
        in_peace(loop)
        begin, kills, problems = time.monotonic(), {}, []
        for kind, calls in KINDS.items():
            kills[kind], found = sweep(loop, calls, STEPS.get(kind, 1))
            problems += found
        (pool,) = loop.admin("GET", "state")["pools"]
        told = {
            "kills": kills,
            "seconds": round(time.monotonic() - begin, 1),
            "generations": loop.generation,
            "size_changes": sum(a["size"] != b["size"] for a, b in pairwise(pool["history"])),
            "records": len(loop.central()["records"]),
            "broken": problems,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        return 1 if problems or not all(kills.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
