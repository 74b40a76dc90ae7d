"""A real Chromium on central's pages, and what it must never see there."""

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
PATIENCE = 30_000  # milliseconds that a page may take to become what a test waits for
SCREENS = Path(__file__).resolve().parents[1] / ".artifacts" / "screens"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
Look = Literal["light", "dark", "phone"]
SERIOUS = ("serious", "critical")
EXPECTED_REFUSALS = ("the server responded with a status of 4",)  # a page that says no, on purpose


@contextlib.contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """The browser, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=ARGUMENTS, chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A window of one person, whose console, network and policy violations are remembered."""

    def __init__(self, browser: Browser, url: str, look: Look = "light") -> None:
        self.url = url
        self.look = look
        self._context = browser.new_context(base_url=url, **LOOKS[look])
        self._context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self._host = urlsplit(url).netloc
        self._context.on("console", self._console)
        self._context.on("request", self._request)
        self._context.on("weberror", lambda error: self.complaints.append(f"error {error.error}"))

    def sign_in(self, email: str, password: str) -> None:
        """Through the form, as people do."""
        self.page.goto("/sign-in")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def keep(self, name: str) -> None:
        """Keep a picture of the whole page for whoever reads the build's artefacts."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}-{self.look}.png", full_page=True)

    def barriers(self) -> list[str]:
        """What shuts people out of this page, as far as axe-core sees it: serious and worse."""
        script = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
        self.page.evaluate(script)
        found = self.page.evaluate("() => axe.run()")["violations"]
        return [
            f"{self.page.url}: {one['id']}: {one['help']}: {node['html'][:160]}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]

    def is_too_wide(self) -> bool:
        """Whether the page has to be pushed sideways to be read."""
        return bool(
            self.page.evaluate(
                "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        )

    def close(self) -> None:
        """Leave."""
        self._context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            text = message.text
            if not any(expected in text for expected in EXPECTED_REFUSALS):
                where = message.location
                self.complaints.append(
                    f"console {message.type}: {text} ({where['url']}:{where['lineNumber']})"
                )

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self._host:
            self.complaints.append(f"asked another host: {request.url}")
