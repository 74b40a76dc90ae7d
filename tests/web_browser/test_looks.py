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
    "config-version": "/nodes/alpha/config/versions/1",
    "config-rollback": "/nodes/alpha/config/rollback?generation=1",
    "rollout": "/rollouts/1",
    "audit-verify": "/audit/verify",
    "rollouts": "/rollouts",
    "lifecycle": "/lifecycle",
    "system": "/system",
    "audit": "/audit",
    "users": "/users",
    "user": "/users/dev@example.com",
    "account": "/account",
}
FRAGMENTS = ("/live", "/now", "/plot", "/rows", "/state")
FILLED = {
    "{name}": "alpha",
    "{pool:path}": "web",
    "{email}": "dev@example.com",
    "{generation}": "1",
    "{number}": "1",
}


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


def test_the_list_above_has_every_page() -> None:
    paths = {
        path
        for method, path in ROUTES
        if method == "GET" and not path.startswith(("/v1/", "/assets/", "/healthz", "/readyz"))
    }
    for name, value in FILLED.items():
        paths = {path.replace(name, value) for path in paths}
    shown = {path.partition("?")[0] for path in PAGES.values()}
    shown |= {"/sign-in", "/metrics", "/openapi.json"}
    assert {path for path in paths - shown if not path.endswith(FRAGMENTS)} == set()
