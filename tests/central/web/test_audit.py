"""The page of the audit: filtered, exported, verified."""

import json
import re

import pytest

from tests.central_server import RunningCentral
from tests.pages import Reader, shown


def actions(text: str) -> list[str]:
    """The actions of the rows of a page, newest first."""
    return re.findall(
        r"<td data-label=\"Action\">([A-Z_]+)<br><span class=\"muted\">[A-Z]+</span></td>", text
    )


def test_rows_are_read_back_newest_first_page_by_page(
    central: RunningCentral, admin: Reader
) -> None:
    central.execute(
        "INSERT INTO audit_logs (action, category, resource_name, status) "
        "SELECT 'PAGED_' || chr(64 + i / 10) || chr(65 + i % 10), 'NODE', 'paged', 'SUCCESS' "
        "FROM generate_series(10, 239) AS i"
    )
    pages = list(admin.pages("/audit?resource=paged"))
    seen = re.findall(r"<summary>Details of row (\d+)", "".join(pages))
    assert (len(set(seen)), len(pages)) == (230, 3)
    assert [int(row) for row in seen] == sorted(map(int, seen), reverse=True)


def test_filters_narrow_and_details_can_be_read(central: RunningCentral, admin: Reader) -> None:
    central.create_node("audited")
    admin.send("/nodes/audited/maintenance", on="yes", reason="<b>disks</b>")
    admin.send("/nodes/audited/delete", confirm="wrong")
    everything = admin.open("/audit?resource=audited")
    assert actions(everything.text) == ["NODE_DELETED", "MAINTENANCE_BEGAN", "NODE_CREATED"]
    assert "<b>disks</b>" in shown(everything)
    assert "<b>disks" not in everything.text
    cases = {
        "&status=FAILURE": ["NODE_DELETED"],
        "&action=NODE_CREATED": ["NODE_CREATED"],
        "&user=admin@pages.example": ["NODE_DELETED", "MAINTENANCE_BEGAN"],
        "&category=CONFIG": [],
        "&from=2999-01-01T00:00": [],
        "&to=2000-01-01T00:00": [],
        "&from=2000-01-01T00:00&to=2999-01-01T00:00": actions(everything.text),
    }
    for query, wanted in cases.items():
        assert actions(admin.open("/audit?resource=audited" + query).text) == wanted, query


def test_an_instant_that_cannot_be_read_is_told(admin: Reader) -> None:
    answer = admin.get("/audit?from=yesterday")
    assert (answer.status_code, "From: write an instant" in shown(answer)) == (422, True)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_exports_hold_what_the_filters_let_through(
    central: RunningCentral, admin: Reader, form: str
) -> None:
    central.create_node(f"exported-{form}")
    page = admin.open(f"/audit?resource=exported-{form}&from=2000-01-01T00:00").text
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/v1/audit/[^"]+)"', page)]
    (link,) = (link for link in links if f"format={form}" in link)
    content = admin.open(link).text.strip().splitlines()
    if form == "json":
        assert [json.loads(line)["action"] for line in content] == ["NODE_CREATED"]
    else:
        assert (len(content), "NODE_CREATED" in content[1]) == (2, True)


def test_the_trail_is_verified_and_a_changed_row_is_named(
    central: RunningCentral, admin: Reader
) -> None:
    central.create_node("n1")
    assert "are as they were written" in shown(admin.open("/audit/verify"))
    central.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
    (row,) = central.rows("SELECT max(id) AS id FROM audit_logs")
    central.execute("UPDATE audit_logs SET user_email = 'mallory' WHERE id = :id", **row)
    try:
        text = shown(admin.open("/audit/verify"))
    finally:
        central.execute(
            "UPDATE audit_logs SET user_email = 'admin@example.com' WHERE id = :id", **row
        )
        central.execute("ALTER TABLE audit_logs ENABLE TRIGGER USER")
    assert "The trail is not as it was written: 1 break" in text
    assert f"row {row['id']}" in text


@pytest.mark.parametrize("path", ["/audit", "/audit/verify", "/users"])
def test_only_an_admin_reads_it(devops: Reader, path: str) -> None:
    assert devops.get(path).status_code == 403
    assert f'href="{path}"' not in devops.open("/nodes").text
