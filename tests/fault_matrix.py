"""The fault matrix: what users may expect under each fault, and which tests show it.

A test belongs to a fault by its name (`test_fault_35_…`, `test_fault_10_and_11_…`) or by the
marker `@pytest.mark.fault(35)`. `python -m tests.fault_matrix` writes docs/faults.md.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "faults.md"


class Fault(NamedTuple):
    """A fault and the promise under it."""

    fault: str
    promise: str


FAULTS: dict[int, Fault] = {
    1: Fault(
        "Central refuses connections, for a minute or a day",
        "Scaling goes on with the same decisions; history waits in the outbox; none is lost.",
    ),
    2: Fault(
        "Central is a black hole",
        "5 s to connect, 15 s in all; no tick waits for it.",
    ),
    3: Fault("Central is slow, or drips bytes", "The total deadline holds; ticks keep their pace."),
    8: Fault(
        "The state directory's disk is full",
        "Scaling goes on from memory; metrics are dropped first and counted; the last good"
        " configuration stays what it was.",
    ),
    9: Fault(
        "The disk is read-only or fails on fsync",
        "Told as a problem; a failed flush is never taken for saved.",
    ),
    10: Fault(
        "SIGKILL anywhere in applying a configuration",
        "The old or the new one, never a mix; the reported hash is the file's.",
    ),
    11: Fault(
        "SIGKILL between a write and its bookkeeping",
        "The pool is read back at the next start; one decision never becomes two steps.",
    ),
    12: Fault("A torn or flipped file", "The checksum notices; the older copy is used."),
    13: Fault(
        "A state file that is empty, zeros, foreign or of a newer version",
        "Set aside as `.corrupt-…`, told, and work goes on from the older copy or anew.",
    ),
    14: Fault("A damaged record in the outbox", "That record is skipped and counted, no other."),
    15: Fault("The wall clock jumps a day ahead", "No cooldown is bypassed."),
    16: Fault("The wall clock jumps a day back", "Cooldowns still expire; heartbeats count on."),
    17: Fault(
        "The wall clock is set during an OCI retry",
        "Retries are timed by the monotonic clock: 15 s at most.",
    ),
    18: Fault(
        "The machine sleeps for two hours",
        "One evaluation, no burst to catch up; what was measured before the sleep is stale.",
    ),
    19: Fault(
        "Daylight saving begins or ends",
        "Schedules open and close once, at the local time that was written.",
    ),
    20: Fault(
        "The node's clock is ten minutes off",
        "Shown in seconds; events keep the node's time, receipt orders them.",
    ),
    21: Fault(
        "Two agents with one key (a cloned machine)",
        "Told apart by boots and streams: DUPLICATE_AGENT once, shown while it lasts, and one of"
        " them only observes. One state directory has one agent; etags stop a double step.",
    ),
    22: Fault("A heartbeat is replayed", "Answered again, stored once."),
    23: Fault("An old heartbeat arrives after a newer one", "No state goes back."),
    24: Fault("The answer is lost after central's commit", "Sent again, stored once."),
    25: Fault(
        "A truncated, garbled or foreign answer",
        "Treated as a failure; the configuration stays; hash and text must agree.",
    ),
    26: Fault("A huge or compressed answer", "4 MiB are read at most; the rest is refused."),
    27: Fault(
        "TLS: expired, wrong host, unknown authority",
        "Never less secure; a distinct error; scaling goes on.",
    ),
    28: Fault("The certificate authority changes", "The bundle is read again without a restart."),
    29: Fault(
        "DNS fails or hangs",
        "Resolved anew for each connection, within its own limit: 3 s for OCI, where nothing was "
        "sent then; 15 s in all for central; no tick waits.",
    ),
    30: Fault(
        "401 for everybody",
        "The last good configuration runs on; retried slowly for ever; nothing is wiped.",
    ),
    31: Fault(
        "The node's key is revoked",
        "Refused before anything is stored; the agent keeps scaling locally.",
    ),
    32: Fault("A key rotation is interrupted", "One of the two keys always works."),
    33: Fault(
        "Retry-After as seconds, date, absurd or negative",
        "Bounded to 1 s … 30 min; it only ever lengthens a wait, with jitter.",
    ),
    34: Fault("OCI answers 429", "Asked again within limits, and decided anew, never replayed."),
    35: Fault(
        "A write times out or fails with 5xx",
        "Its outcome is unknown: read back before anything else, with one retry token.",
    ),
    36: Fault(
        "Out of host capacity (as 500 or as a failed work request)",
        "Recognised by code and text; growth waits 5 → 30 min; event CAPACITY_ERROR.",
    ),
    37: Fault("A limit or quota is exceeded", "Growth waits 5 → 30 min; shrinking does not."),
    38: Fault("Lists lag behind what was written", "Our own write is awaited; no oscillation."),
    39: Fault("409 IncorrectState, 412", "Deferred: read again, decided again, never forced."),
    40: Fault("A pool scales for ever", "STUCK after its deadline, status error, left alone."),
    41: Fault(
        "A pool is deleted, or a permission is lost",
        "Missing and forbidden are told apart; the other pools go on.",
    ),
    42: Fault("Somebody else resizes a pool", "Adopted and told as EXTERNAL_CHANGE, not fought."),
    43: Fault(
        "Two agents manage one pool",
        "Central lets one write; etags stop the other; who is undone twice steps back (CONTENDED).",
    ),
    44: Fault(
        "A token expires, or the metadata service is down",
        "Renewed ahead of time; requests fail at once instead of hanging; no crash loop.",
    ),
    45: Fault("Metrics are missing", "Hold; never scale in on absence; bounds still hold."),
    46: Fault("Metrics come late or corrected", "Windows count by their own time, once trusted."),
    47: Fault(
        "NaN, infinity, negative, text",
        "Refused one by one and counted; never written as a number.",
    ),
    48: Fault("One instance of many is silent", "The others count; a scale-in is damped."),
    49: Fault("Load flaps around the threshold", "At most one action per cooldown."),
    50: Fault("An invalid configuration", "FAILED with its reason; the old one keeps running."),
    51: Fault("A hostile configuration", "Refused by size, depth and count in under 100 ms."),
    52: Fault("Unknown or duplicate keys, YAML 1.1 traps", "An error with key and line."),
    53: Fault("Configurations A, B, A in quick succession", "The latest wins; no stale APPLIED."),
    54: Fault(
        "A configuration drops a pool while it scales",
        "The pool is let go as it is; its journal is closed when it comes back.",
    ),
    66: Fault(
        "A thread of the agent hangs",
        "The other pools go on; no complete tick, so no watchdog; systemd restarts it.",
    ),
    67: Fault(
        "It crashes at every start",
        "Restarted with growing delays for ever; the last error is kept and told later.",
    ),
    68: Fault(
        "Upgraded, and back again",
        "State of another version is set aside and kept; the agent starts anew beside it.",
    ),
}


@cache
def shown_by() -> dict[int, list[str]]:
    """Return `path::name` of every test that shows a fault, by number."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in _numbers(node):
                    found.setdefault(number, []).append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def _numbers(node: ast.FunctionDef) -> Iterator[int]:
    named = re.match(r"test_fault_((?:\d+_(?:and_)?)+)", node.name)
    if named:
        yield from map(int, re.findall(r"\d+", named[1]))
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(number) for number in mark.args)


def render() -> str:
    """Return the page."""
    tests = shown_by()
    lines = [
        "# What the agent promises when something breaks",
        "",
        "Generated by `python -m tests.fault_matrix` from the tests that show it. Numbers are",
        "stable; gaps between them are faults of central, which its own tests cover.",
        "",
        "| # | Fault | Promise | Shown by |",
        "|---|---|---|---|",
    ]
    for number, (fault, promise) in FAULTS.items():
        shown = "<br>".join(f"`{_short(test)}`" for test in tests.get(number, []))
        lines.append(f"| {number} | {fault} | {promise} | {shown} |")
    return "\n".join(lines) + "\n"


def _short(test: str) -> str:
    return test.removeprefix("tests/")


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
