"""Every page, light, dark and on a phone: readable, without barriers, without complaints."""

import pytest
from playwright.sync_api import expect

from central.permissions import ROUTES
from tests.chromium import LOOKS, Look
from tests.web_browser.conftest import Open
from tests.web_world import WebWorld

PAGES = {
    "fleet": "/",
    "nodes": "/nodes",
    "node": "/nodes/alpha",
    "node-delete": "/nodes/alpha/delete",
    "pool": "/nodes/alpha/pools/web",
    "config": "/nodes/alpha/config",
    "config-history": "/nodes/alpha/config/history",
    "rollouts": "/rollouts",
    "lifecycle": "/lifecycle",
    "system": "/system",
    "audit": "/audit",
    "users": "/users",
    "user": "/users/dev@example.com",
    "account": "/account",
}
EMPTY: set[str] = set()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_can_be_read_by_everybody(
    world: WebWorld, open_window: Open, look: Look
) -> None:
    window = open_window(None, look)
    window.page.goto("/sign-in")
    window.keep("sign-in")
    barriers = window.barriers()
    window = open_window("eva", look)
    window.page.goto("/")
    expect(window.page.locator("tbody")).to_contain_text("in sync")
    too_wide = []
    for name, path in PAGES.items():
        answer = window.page.goto(path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        window.page.wait_for_load_state("networkidle")
        window.keep(name)
        barriers += window.barriers()
        if window.is_too_wide():
            too_wide.append(path)
    assert barriers == []
    assert too_wide == []


def test_the_list_above_has_every_page(world: WebWorld) -> None:
    filled = {
        path.replace("{name}", "alpha")
        .replace("{pool:path}", "web")
        .replace("{email}", "dev@example.com")
        for method, path in ROUTES
        if method == "GET" and not path.startswith(("/v1/", "/assets/", "/healthz", "/readyz"))
    }
    shown = {*PAGES.values(), "/sign-in", "/metrics", "/openapi.json"}
    fragments = {path for path in filled if path.endswith(("/live", "/now", "/plot", "/rows"))}
    assert filled - shown - fragments - EMPTY == set()
