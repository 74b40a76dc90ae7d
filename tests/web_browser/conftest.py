"""Central's pages in a real browser, for `make test-browser`; else nothing is collected."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.central_server import eventually
from tests.chromium import SCREENS, Look, Window, chromium
from tests.web_world import PASSWORD, YAML, WebWorld, address, web_world

collect_ignore_glob = [] if os.environ.get("CHROMIUM") else ["test_*.py"]
Open = Callable[..., Window]
PATCH = {"kind": "set", "path": "pools.*.limits.max", "value": 12}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium(os.environ["CHROMIUM"]) as found:
        yield found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    """A fleet in which the node `alpha` lives and keeps the pool `web`."""
    with web_world(tmp_path_factory.mktemp("world")) as found:
        key = found.central.create_node("alpha")
        found.central.push("alpha", YAML)
        found.start_agent_with("alpha", key)
        found.remember_a_day()
        patch = {"nodes": ["alpha"], "edits": [PATCH]}
        ops = found.central.operator()
        eventually(lambda: ops.post("/v1/rollouts", json=patch).is_success, within=90)
        yield found


@pytest.fixture
def open_window(browser: Browser, world: WebWorld) -> Iterator[Open]:
    """Opens windows, signed in as somebody; each must end without a complaint."""
    windows: list[Window] = []

    def _open(who: str | None = None, look: Look = "light") -> Window:
        window = Window(browser, world.central.url, look)
        windows.append(window)
        if who is not None:
            window.sign_in(address(who), PASSWORD)
        return window

    yield _open
    for window in windows:
        window.close()
    assert [complaint for window in windows for complaint in window.complaints] == []


@pytest.fixture(scope="session", autouse=True)
def _screens_start_empty() -> None:
    for old in SCREENS.glob("*.png") if SCREENS.is_dir() else ():
        old.unlink()
