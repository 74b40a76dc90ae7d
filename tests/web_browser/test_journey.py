"""A day of an operator, in a browser: from a machine that nobody knows to its pool's next size."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.central_server import eventually
from tests.chromium import Window
from tests.web_browser.conftest import Open
from tests.web_world import POOL_ID, REGION, YAML, WebWorld, web_world

MISTAKE = YAML.replace("limits: {min: 2, max: 10}", "limits: {min: 2, maxx: 10}")
WRONG_LINE = 1 + MISTAKE.splitlines().index("    limits: {min: 2, maxx: 10}")
NODE = "beta"
SLOW = (
    90_000  # milliseconds: an agent's tick, a resize and the page's own rhythm, one after another
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    """A fleet without a node."""
    with web_world(tmp_path_factory.mktemp("journey")) as found:
        yield found


def test_a_day_of_an_operator(world: WebWorld, open_window: Open) -> None:
    window = open_window("dev")
    page = window.page
    key_file = enrol(world, page)
    comes_online_while_watched(world, page, key_file)
    a_mistake_is_shown_at_its_line(page)
    reviewed_saved_and_in_sync(world, window)
    an_override_scales_out_on_the_plot(world, window)
    rolled_back(world, page)
    two_editors_meet(world, window, open_window("eva"))
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"/nodes/{NODE}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def enrol(world: WebWorld, page: Page) -> Path:
    """Get the token from the page and use it on the machine."""
    page.goto("/nodes")
    name = page.get_by_label("Name, or names with * and ?")
    if not name.is_visible():  # it is open when there is no node yet
        page.get_by_text("Enrol a node", exact=True).click()
    name.fill(NODE)
    page.get_by_label("Region").first.fill(REGION)
    page.get_by_role("button", name="Make a token").click()
    command = page.locator("#command").inner_text()
    assert world.central.url in command
    token = command.splitlines()[-2]
    key_file = world.directory / "beta.key"
    words = ["node", "enroll", "--url", world.central.url, "--name", NODE, "--token-file", "-"]
    status, said = world.command(*words, "--key-file", str(key_file), text=token)
    assert status == 0, said
    page.reload()
    assert token not in page.content(), "a token is shown once"
    return key_file


def comes_online_while_watched(world: WebWorld, page: Page, key_file: Path) -> None:
    page.goto(f"/nodes/{NODE}")
    expect(page.locator("#live")).to_contain_text("INACTIVE")
    world.start_agent(NODE, key_file)
    expect(page.locator("#live")).to_contain_text("ACTIVE", timeout=SLOW)
    expect(page.locator("#live")).not_to_contain_text("INACTIVE", timeout=SLOW)


def editor(page: Page) -> Locator:
    return page.locator("yaml-editor .cm-content")


def type_whole(page: Page, text: str) -> None:
    """Replace what the editor holds, by the keyboard."""
    editor(page).click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


def a_mistake_is_shown_at_its_line(page: Page) -> None:
    page.goto(f"/nodes/{NODE}/config")
    type_whole(page, MISTAKE)
    problems = page.locator("#problems")
    expect(problems).to_contain_text(f"line {WRONG_LINE}")
    expect(problems).to_contain_text("did you mean")
    expect(page.locator("yaml-editor .cm-lint-marker-error")).to_be_visible()
    type_whole(page, YAML)
    expect(problems).to_be_empty()


def reviewed_saved_and_in_sync(world: WebWorld, window: Window) -> None:
    page = window.page
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", name=f"Review for {NODE}")).to_be_visible()
    expect(page.locator("pre.diff").first).to_contain_text("target: 60")
    page.get_by_role("button", name="Save and activate").click()
    state = page.locator("#config-state")
    expect(state).to_contain_text("in sync", timeout=SLOW)
    eventually(lambda: bool(pool_rows(world)), within=60)
    world.remember_a_day()
    type_whole(page, YAML.replace("target: 60", "target: 58"))
    page.get_by_role("button", name="Review").click()
    expect(page.locator("#replay")).to_contain_text("Instance-hours", timeout=SLOW)
    expect(page.locator("#coming-title")).to_be_visible()
    window.keep("config-review")
    assert window.barriers() == []
    pid = world.agents[0].pid
    with world.stopped(pid):  # a node that does not answer yet: pending is seen before in sync
        page.get_by_role("button", name="Save and activate").click()
        expect(page.locator("#config-state")).to_contain_text("pending")
    expect(page.locator("#config-state")).to_contain_text("in sync", timeout=SLOW)


def pool_rows(world: WebWorld) -> list[dict[str, object]]:
    return world.central.rows("SELECT id FROM pools WHERE oracle_pool_id = :id", id=POOL_ID)


def an_override_scales_out_on_the_plot(world: WebWorld, window: Window) -> None:
    page = window.page
    page.goto(f"/nodes/{NODE}/pools/web?range=1h")
    page.get_by_label("Instances").first.fill("5")
    page.get_by_label("For", exact=True).fill("2")
    page.get_by_label("Reason").fill("load test of the browser")
    page.get_by_role("button", name="Hold that size").click()
    expect(page.locator("pre.diff").first).to_contain_text("load test of the browser")
    window.keep("override-preview")
    page.get_by_role("button", name="Make this change").click()
    expect(page.get_by_text("Held at 5 until")).to_be_visible()
    eventually(lambda: world.pool_size() == 5, within=60)
    with page.expect_response(
        lambda answer: "/plot" in answer.url and '"SCALE_OUT"' in answer.text(), timeout=SLOW
    ):
        pass
    page.locator("#plot").focus()
    page.keyboard.press("End")
    expect(page.locator("#readout")).to_contain_text("scale out")
    window.keep("pool-scaled-out")


def rolled_back(world: WebWorld, page: Page) -> None:
    page.goto(f"/nodes/{NODE}/config/history")
    page.get_by_role("row", name="1").get_by_role("link", name="Roll back").last.click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator("#config-state")).to_contain_text("generation 4", timeout=SLOW)
    expect(page.locator("#config-state")).to_contain_text("in sync", timeout=SLOW)


def two_editors_meet(world: WebWorld, mine: Window, theirs: Window) -> None:
    for window in (mine, theirs):
        window.page.goto(f"/nodes/{NODE}/config")
    type_whole(theirs.page, "# theirs\n" + YAML)
    theirs.page.get_by_role("button", name="Review").click()
    type_whole(mine.page, "# mine\n" + YAML)
    theirs.page.get_by_role("button", name="Save and activate").click()
    expect(theirs.page.locator("#config-state")).to_be_visible()
    mine.page.get_by_role("button", name="Review").click()
    expect(mine.page.get_by_role("alert")).to_contain_text("Somebody saved meanwhile")
    expect(mine.page.locator("pre.diff").first).to_contain_text("# theirs")
    expect(editor(mine.page)).to_contain_text("# mine")
    mine.keep("config-conflict")
    assert mine.barriers() == []
