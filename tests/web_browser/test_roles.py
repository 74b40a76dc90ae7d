"""What each role sees: what it may do, and nothing else."""

import pytest
from playwright.sync_api import expect

from tests.web_browser.conftest import Open
from tests.web_world import WebWorld

ADMIN_PAGES = ("Audit", "Users")
FORBIDDEN = {"uma": ("/audit", "/users"), "dev": ("/audit", "/users"), "eva": ()}


@pytest.mark.parametrize("who", ["uma", "dev", "eva"])
def test_each_role_sees_only_what_it_may(world: WebWorld, open_window: Open, who: str) -> None:
    window = open_window(who)
    pages = window.page.get_by_role("navigation", name="Pages").first
    for label in ADMIN_PAGES:
        expect(pages.get_by_role("link", name=label)).to_have_count(1 if who == "eva" else 0)
    for path in FORBIDDEN[who]:
        answer = window.page.goto(path)
        assert answer is not None
        assert answer.status == 403
        expect(window.page.get_by_role("heading", name="Not allowed")).to_be_visible()
    window.page.goto("/nodes/alpha")
    changes = window.page.locator("main form[method=post]")
    assert (changes.count() > 0) == (who != "uma")
    window.page.goto("/nodes/alpha/pools/web")
    changes = window.page.locator("main form[method=post]")
    assert (changes.count() > 0) == (who != "uma")


def test_a_page_that_needs_a_login_leads_to_it_and_back(world: WebWorld, open_window: Open) -> None:
    window = open_window()
    window.page.goto("/lifecycle")
    window.page.get_by_label("E-mail address").fill("uma@example.com")
    window.page.get_by_label("Password").fill("wrong password")
    window.page.get_by_role("button", name="Sign in").click()
    expect(window.page.get_by_role("alert")).to_contain_text("wrong")
    window.page.get_by_label("Password").fill("correct horse battery")
    window.page.get_by_role("button", name="Sign in").click()
    expect(window.page.get_by_role("heading", name="Lifecycle")).to_be_visible()
    window.page.get_by_role("button", name="Sign out").click()
    window.page.goto("/lifecycle")
    expect(window.page.get_by_role("heading", name="Sign in")).to_be_visible()
