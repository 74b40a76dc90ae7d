"""All the bcrypt of a central: one at a time, in a process of low priority."""

import asyncio
import contextlib
import json
import select
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from central.bcrypt_process import LEFTOVERS

COMMAND = (sys.executable, "-I", "-m", "central.bcrypt_process")
PATIENCE_SECONDS = 5.0  # after which a password gets a process that has a share of its own
LONGEST_QUEUE = 8  # logins that may wait for bcrypt; more are asked to come back
ATTEMPTS = 2  # the process may have been ended from outside: a second one is started
LEAVE_SECONDS = 5.0


class PasswordWorker:
    """bcrypt is meant to burn processor time; here it burns only what ingest leaves over.

    A flood of logins waits in a short queue without holding any other thread. The process starts
    with the first password.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "bcrypt")
        self._process: subprocess.Popen[str] | None = None
        self._hurries = False
        self._waiting = 0

    @property
    def is_busy(self) -> bool:
        """Whether as many wait as may."""
        return self._waiting >= LONGEST_QUEUE

    async def verify(self, password: str, stored: str | None) -> bool:
        """As `passwords.verify_password`."""
        self._waiting += 1
        try:
            return bool(await self._ask(password, stored, wants_hash=False))
        finally:
            self._waiting -= 1

    async def hash(self, password: str) -> str:
        """As `passwords.hash_password`."""
        return str(await self._ask(password, None, wants_hash=True))

    def close(self) -> None:
        """End the process after what it is doing."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._end()

    async def _ask(self, password: str, stored: str | None, *, wants_hash: bool) -> bool | str:
        question = json.dumps([password, stored, wants_hash])
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._answer, question)

    def _answer(self, question: str) -> bool | str:
        for _ in range(ATTEMPTS):
            line = self._exchange(question, None if self._hurries else PATIENCE_SECONDS)
            if line is None:  # every processor is busy with other things, and may stay so
                self._end(at_once=True)
                self._process, self._hurries = _start(), True
                line = self._exchange(question, None)
            if line:
                if self._hurries and self._waiting <= 1:
                    self._end()  # the next one may find an idle processor again
                answer: bool | str = json.loads(line)
                return answer
            self._end()
        raise RuntimeError("the process that checks passwords ends as soon as it is asked")

    def _exchange(self, question: str, seconds: float | None) -> str | None:
        """The answer; None if there is none in time, an empty text if the process has ended."""
        if self._process is None:
            self._process = _start(LEFTOVERS)
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            return ""
        try:
            asked.write(question + "\n")
            asked.flush()
        except OSError:
            return ""
        ready = select.select([answers], [], [], seconds)[0]
        return answers.readline() if ready else None

    def _end(self, *, at_once: bool = False) -> None:
        process, self._process, self._hurries = self._process, None, False
        if process is None:
            return
        if at_once:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # it ended before it read everything
                if pipe is not None:
                    pipe.close()
        try:
            process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = (*COMMAND, *arguments)  # constants, and this very interpreter
    return subprocess.Popen(  # noqa: S603 # see above
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
