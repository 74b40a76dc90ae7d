"""Somebody who reads our pages: signed in with a cookie, forms sent as a browser sends them."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from central.credentials import COOKIE, csrf_token
from central.store import sessions, users
from central.tokens import new_session_token
from central.web.forms import CSRF_FIELD
from tests.central_server import RunningCentral


class Reader:
    """An operator at a browser, without the cost of a password."""

    def __init__(self, central: RunningCentral, http: httpx.Client, token: str) -> None:
        self.central = central
        self._http = http
        self._csrf = csrf_token(token)

    def open(self, path: str) -> httpx.Response:
        """A page, which must be there; redirects are not followed."""
        answer = self._http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return answer

    def pages(self, path: str) -> Iterator[str]:
        """A list's pages, one after the other, as their links lead."""
        following: str | None = path
        while following:
            text = self.open(following).text
            yield text
            found = re.search(r'href="([^"]+)" rel="next"', text)
            following = html.unescape(found[1]) if found else None

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Whatever an address answers."""
        return self._http.get(path, headers=headers)

    def send(self, path: str, **fields: str) -> httpx.Response:
        """A form, with its CSRF token."""
        return self.send_all(path, list(fields.items()))

    def send_all(self, path: str, fields: list[tuple[str, str]]) -> httpx.Response:
        """A form in which a name may occur several times."""
        body = httpx.QueryParams([(CSRF_FIELD, self._csrf), *fields])
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._http.post(path, content=str(body), headers=headers)

    def fragment(self, path: str, **fields: str) -> str:
        """What a script of a page gets for a form."""
        body = httpx.QueryParams([(CSRF_FIELD, self._csrf), *fields.items()])
        headers = {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
        return self._http.post(path, content=str(body), headers=headers).text

    def done(self, path: str, **fields: str) -> str:
        """A form that works; returns what the page then shows."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, f"{path}: {answer.status_code} {shown(answer)[:2000]}"
        return shown(self.open(answer.headers["Location"]))


@contextmanager
def reading(central: RunningCentral, role: users.Role = "ADMIN") -> Iterator[Reader]:
    """Sign somebody in with a role until the block ends; the address is ROLE@pages.example."""
    token = new_session_token()
    email = f"{role.lower()}@pages.example"
    with central.whole.engine.begin() as connection:
        user = users.by_email(connection, email)
        if user is None:
            users.create(connection, email, role, f"{role.title()} Reader", "no password")
            user = users.by_email(connection, email)
        assert user is not None
        sessions.start(connection, user.id, sessions.Opening(token.digest, "cookie"))
    headers = {
        "Cookie": f"{COOKIE}={token.text}",
        "Origin": central.url,
        "Accept": "text/html",
    }
    with httpx.Client(base_url=central.url, headers=headers, timeout=30, verify=False) as http:
        yield Reader(central, http, token.text)


def shown(answer: httpx.Response) -> str:
    """The words on a page as its reader sees them, each run of space as one."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
