"""Signs of life: on a terminal only, and never in what is piped on."""

import os
import pty
import subprocess
import sys

CODE = """
from poolkeeper.progress import counting, working
with working("Deleting \\x1b[2Jn1 …"):
    print("deleted")
with counting("Rollout 7", 3) as settled:
    for number in range(4):
        settled(number)
        print("node", number)
"""
PRINTED = "deleted\nnode 0\nnode 1\nnode 2\nnode 3\n"


def test_without_a_terminal_nothing_is_added() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (PRINTED, "")


def test_a_terminal_shows_how_far_it_is_and_a_pipe_gets_the_output_alone() -> None:
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        stdout=subprocess.PIPE,
        stderr=end,
        env=environment,
        check=True,
    )
    os.close(end)
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    os.close(terminal)
    assert done.stdout.decode() == PRINTED
    assert "Deleting \\x1b[2Jn1 …" in shown.decode()
    assert "3/3" in shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux tells so that nobody writes any more
        return b""
