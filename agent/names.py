"""Names of hosts, looked up without waiting for a resolver that hangs."""

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

Lookup = Callable[..., Sequence[Any]]
"""`socket.getaddrinfo`, which has no time limit: the system's may take half a minute and more."""


class _Question:
    """A lookup on a thread of its own; everybody who asks the same waits for the same answer."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.addresses: list[str] = []
        self.error: OSError | None = None


class Names:
    """Looks names up anew for every connection. Safe to use from any thread.

    A lookup that hangs is given up by those who ask, not by the system; until that ends it too,
    nobody starts another one for the same name, so threads do not gather.
    """

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], _Question] = {}

    def addresses(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the addresses of a host, in the system's order.

        Raises:
            OSError: there is no such name, or no answer within so many seconds.
        """
        if _is_address(host):
            return [host]
        question = self._question((host, port))
        if not question.answered.wait(seconds):
            text = f"no answer about {host} within {seconds:.1f} s"
            raise socket.gaierror(socket.EAI_AGAIN, text)
        if question.error is not None:
            raise question.error
        return question.addresses

    def _question(self, key: tuple[str, int]) -> _Question:
        with self._lock:
            found = self._open.get(key)
            if found is None:
                found = self._open[key] = _Question()
                threading.Thread(
                    target=self._answer, args=(key, found), name="names", daemon=True
                ).start()
            return found

    def _answer(self, key: tuple[str, int], question: _Question) -> None:
        try:
            found = self._lookup(*key, 0, socket.SOCK_STREAM)
            question.addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        except OSError as error:
            question.error = error
        except UnicodeError:
            question.error = socket.gaierror(socket.EAI_NONAME, f"{key[0]!r} is no name of a host")
        finally:
            with self._lock:
                del self._open[key]
            question.answered.set()


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
