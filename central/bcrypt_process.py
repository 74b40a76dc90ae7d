"""The process that does a central's bcrypt: last in line for the processor, alone with its work.

In a thread of central, bcrypt would have to take the interpreter's lock at the end, with the low
priority that it was given, and everything else would wait for that. A line of JSON in is a
question, a line out its answer; the end of the input is the end of the process.
"""

import json
import os
import sys
from typing import TextIO

from central.passwords import hash_password, verify_password

NICENESS = 10  # a tenth of an ordinary process's weight
LEFTOVERS = "--leftovers"  # work only while a processor has nothing else to do


def serve(questions: TextIO, answers: TextIO) -> None:
    """Answer until there is nothing more to read."""
    for line in questions:
        password, stored, wants_hash = json.loads(line)
        answer = hash_password(password) if wants_hash else verify_password(password, stored)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def step_back(*, wholly: bool) -> None:
    """Let others go first; `wholly` also lets the system place them as if this did not run."""
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    if wholly and hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    step_back(wholly=LEFTOVERS in sys.argv)
    serve(sys.stdin, sys.stdout)
