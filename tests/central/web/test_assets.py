"""Styles and scripts as browsers get them: packed, kept for good, and nothing but ours."""

import httpx
import pytest

from central.web.assets import asset_bytes, asset_names, asset_url
from tests.central_server import RunningCentral
from tests.pages import Reader

EDITOR = "vendor/yaml-editor.js"


def test_a_script_travels_packed_where_that_is_taken(central: RunningCentral) -> None:
    with httpx.Client(base_url=central.url, verify=False) as nobody:
        packed = nobody.get(asset_url(EDITOR), headers={"Accept-Encoding": "gzip"})
        plain = nobody.get(asset_url(EDITOR), headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < 160_000 < int(plain.headers["Content-Length"])
    assert packed.content == plain.content == asset_bytes(EDITOR)
    assert {packed.headers["Vary"], plain.headers["Vary"]} == {"Accept-Encoding"}


def test_an_address_with_its_fingerprint_is_kept_and_others_are_asked_for_again(
    user: Reader,
) -> None:
    for name in asset_names():
        assert "immutable" in user.open(asset_url(name)).headers["Cache-Control"]
    stale = user.open(f"/assets/{EDITOR}?v=000000000000")
    assert stale.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["../rendering.py", "%2e%2e/rendering.py", "vendor/yaml-editor.LICENSES.txt", "none.js"]
)
def test_nothing_else_is_given_out(user: Reader, name: str) -> None:
    assert user.get(f"/assets/{name}").status_code == 404
