"""The YAML editor: completion, problems, drafts, a lost connection, and by keyboard alone."""

from playwright.sync_api import Locator, Page, Route, expect

from tests.web_browser.conftest import Open
from tests.web_world import WebWorld

PATH = "/nodes/alpha/config"


def content(page: Page) -> Locator:
    return page.locator("yaml-editor .cm-content")


def text(page: Page) -> str:
    """What the form would send."""
    return page.locator("textarea[name=yaml]").input_value()


def opened(open_window: Open, who: str = "dev") -> Page:
    page: Page = open_window(who).page
    page.goto(PATH)
    expect(content(page)).to_be_visible()
    return page


def at_the_end(page: Page) -> None:
    content(page).click()
    page.keyboard.press("ControlOrMeta+End")


def test_keys_and_values_are_completed_from_the_schema(world: WebWorld, open_window: Open) -> None:
    page = open_window("dev").page
    with page.expect_response("**/v1/config/schema"):
        page.goto(PATH)
    options = page.locator("yaml-editor .cm-tooltip-autocomplete li")
    at_the_end(page)
    page.keyboard.press("Enter")
    page.keyboard.type("over")
    expect(options).to_have_text(["overrides"])
    options.first.click()
    page.keyboard.press("Enter")
    page.keyboard.type("  - ta")
    expect(options.first).to_contain_text("target_instances")
    page.keyboard.press("Escape")
    assert text(page).endswith("overrides:\n  - ta")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text("pools:\n  - name: web\n    mode: ")
    page.keyboard.press("Control+Space")
    expect(options).to_have_text(["activedefault", "observe", "paused"])


def test_a_problem_in_the_list_leads_to_its_line(world: WebWorld, open_window: Open) -> None:
    page = opened(open_window)
    at_the_end(page)
    page.keyboard.insert_text("\ntimezon: UTC\n")
    problems = page.locator("#problems")
    expect(problems).to_contain_text("timezon: unknown key; did you mean 'timezone'?")
    expect(page.locator("#check")).to_contain_text("it cannot be saved like this")
    content(page).press("ControlOrMeta+Home")
    problems.get_by_role("button").first.click()
    expect(content(page)).to_be_focused()
    page.keyboard.type("timezone")
    assert "\ntimezone: UTC" in text(page)


def test_a_draft_outlives_a_reload_and_is_gone_once_thrown_away(
    world: WebWorld, open_window: Open
) -> None:
    page = opened(open_window)
    before = text(page)
    at_the_end(page)
    page.keyboard.type("\n# a thought")
    page.reload()
    dialog = page.get_by_role("dialog", name="There is text that you did not save")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()  # one must say which text it shall be
    dialog.get_by_role("button", name="Take it up again").click()
    expect(dialog).to_be_hidden()
    assert text(page) == before + "\n# a thought"
    page.reload()
    dialog.get_by_role("button", name="Throw it away").click()
    assert text(page) == before
    page.reload()
    expect(content(page)).to_be_visible()
    expect(dialog).to_be_hidden()


def test_a_central_that_is_away_costs_no_text(world: WebWorld, open_window: Open) -> None:
    window = open_window("dev")
    page = window.page
    page.goto(PATH)
    at_the_end(page)
    page.keyboard.type("\n# kept")
    expect(page.locator("#check")).to_contain_text("It can be used")

    def _away(route: Route) -> None:
        route.abort("connectionrefused")

    page.route("**/healthz", _away)
    page.get_by_role("button", name="Review").click()
    expect(page.locator("#check")).to_contain_text("Central does not answer. Your text is kept")
    assert text(page).endswith("# kept")
    assert all("ERR_CONNECTION_REFUSED" in complaint for complaint in window.complaints)
    window.complaints.clear()
    page.unroute("**/healthz", _away)
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", name="Review for alpha")).to_be_visible()
    page.get_by_role("button", name="Edit further").click()
    expect(content(page)).to_be_visible()
    assert text(page).endswith("# kept")


def test_the_keyboard_gets_in_and_out(world: WebWorld, open_window: Open) -> None:
    page = opened(open_window)
    content(page).focus()
    page.keyboard.press("Control+f")
    expect(page.locator("yaml-editor .cm-search input[name=search]")).to_be_focused()
    page.keyboard.type("CpuUtilization")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(content(page)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Review")).to_be_focused()


def test_who_may_not_edit_reads_in_the_same_editor(world: WebWorld, open_window: Open) -> None:
    page = opened(open_window, "uma")
    before = text(page)
    content(page).click()
    page.keyboard.type("nothing")
    assert text(page) == before
    expect(page.get_by_role("button", name="Review")).to_have_count(0)
