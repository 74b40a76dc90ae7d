"""Whatever is typed into a page's fields or its address is text, or is refused in a sentence."""

import pytest

from tests.central_server import RunningCentral
from tests.pages import Reader, shown

TEXTS = {
    "a NUL": "a\x00b",
    "HTML": "<img src=x onerror=alert(1)>",
    "a script's end": "</script><script>alert(1)</script>",
    "a quote": "\"' onfocus=alert(1) x=",
    "right to left": "\u202etxt.exe\u2066",
    "a template": "{{ 7 * 7 }}{% raw %}",
    "a lone surrogate": "%ED%A0%80",
    "ten thousand letters": "x" * 10_000,
}
ASKED = (
    *("/nodes?search=", "/nodes?after=", "/lifecycle?node=", "/lifecycle?event=", "/audit?user="),
    *("/audit?resource=", "/audit?action=", "/audit?from=", "/rollouts?before=", "/users/"),
    *("/nodes/", "/?search="),
)


@pytest.mark.parametrize("address", ASKED)
@pytest.mark.parametrize("kind", TEXTS)
def test_an_address_may_hold_anything(
    central: RunningCentral, admin: Reader, address: str, kind: str
) -> None:
    central.create_node("n1")
    text = TEXTS[kind]
    safe = text if text.startswith("%") else "".join(f"%{byte:02X}" for byte in text.encode())
    answer = admin.get(address + safe)
    assert answer.status_code in {200, 404, 422}, shown(answer)
    assert "<img src=x" not in answer.text
    assert "<script>alert" not in answer.text
    assert "\"' onfocus" not in answer.text


FIELDS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("/nodes", {"name": "n2", "region": "r1"}, "description"),
    ("/nodes", {"region": "r1"}, "name"),
    ("/nodes/enroll-tokens", {"token_region": "r1", "expires_seconds": "60"}, "token_name"),
    ("/nodes/n1/maintenance", {"on": "yes"}, "reason"),
    ("/nodes/n1/rotate-key", {}, "overlap_seconds"),
    ("/nodes/n1/delete", {}, "confirm"),
    ("/rollouts/preview", {"which": "all"}, "edits"),
    ("/rollouts/preview", {"which": "nodes", "edits": "pools.*.mode=paused"}, "nodes"),
    ("/rollouts/preview", {"which": "region", "edits": "pools.*.mode=paused"}, "region"),
    ("/users", {"email": "x@y.z", "password": "correct horse battery"}, "full_name"),
    ("/users", {"full_name": "X", "password": "correct horse battery"}, "email"),
    ("/users/admin@pages.example", {"full_name": "X"}, "override_reason"),
    ("/account/password", {"new": "correct horse", "again": "correct horse"}, "current"),
)


@pytest.mark.parametrize(("path", "fields", "name"), FIELDS)
@pytest.mark.parametrize("kind", TEXTS)
def test_a_field_may_hold_anything(
    central: RunningCentral, admin: Reader, path: str, fields: dict[str, str], name: str, kind: str
) -> None:
    central.create_node("n1")
    answer = admin.send(path, **{**fields, name: TEXTS[kind]})
    assert answer.status_code in {200, 303, 401, 403, 409, 422, 429}, shown(answer)
    assert "<img src=x" not in answer.text
    assert "<script>alert" not in answer.text
    for page in ("/nodes", "/nodes/n1", "/lifecycle", "/audit", "/users", "/rollouts"):
        later = admin.open(page).text
        assert "<img src=x" not in later, page
        assert "<script>alert" not in later, page
        assert len(later) < 400_000, page
