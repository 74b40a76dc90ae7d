"""A browser as far as logging in needs one: cookies per site, redirects by hand, no scripts."""

from html.parser import HTMLParser
from typing import ClassVar
from urllib.parse import urljoin, urlsplit

import httpx


class Browser:
    """Keeps cookies per host and port. Like browsers, it takes loopback for a secure place."""

    windows: ClassVar[list["Browser"]] = []

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=60, verify=False)
        self.windows.append(self)
        self.cookies: dict[str, dict[str, str]] = {}

    def get(self, url: str, *, hops: int = 0) -> httpx.Response:
        """Open an address, following at most `hops` redirects."""
        return self._follow(self._send("GET", url), hops)

    def post(
        self,
        url: str,
        *,
        data: dict[str, str] | None = None,
        json: object = None,
        headers: dict[str, str] | None = None,
        hops: int = 0,
    ) -> httpx.Response:
        """Send a form or JSON."""
        return self._follow(self._send("POST", url, data=data, json=json, headers=headers), hops)

    def request(self, method: str, url: str, headers: dict[str, str]) -> httpx.Response:
        """Send what a page's script would send."""
        return self._send(method, url, headers=headers)

    @classmethod
    def close_all(cls) -> None:
        """Close every window; a fixture does it after each test."""
        while cls.windows:
            cls.windows.pop()._http.close()

    def _follow(self, response: httpx.Response, hops: int) -> httpx.Response:
        while hops > 0 and response.is_redirect:
            target = urljoin(str(response.url), response.headers["Location"])
            response, hops = self._send("GET", target), hops - 1
        return response

    def _send(
        self,
        method: str,
        url: str,
        *,
        data: dict[str, str] | None = None,
        json: object = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        jar = self.cookies.setdefault(urlsplit(url).netloc, {})
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        self._http.cookies.clear()
        response = self._http.request(
            method, url, data=data, json=json, headers={**(sent if jar else {}), **(headers or {})}
        )
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if "max-age=0" in line.lower() or not value:
                jar.pop(name, None)
            else:
                jar[name] = value
        return response


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = found.get("action")
        name = found.get("name")
        if tag == "input" and name and found.get("type") == "hidden":
            self.fields[name] = found.get("value") or ""


def form(page: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where the first form of a page goes, and its hidden fields."""
    reader = _Form()
    reader.feed(page.text)
    assert reader.action is not None, f"no form on the page: {page.status_code} {page.text[:300]}"
    return urljoin(str(page.url), reader.action), reader.fields
