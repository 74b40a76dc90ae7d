"""The system page: the fleet over time, for how long history is kept, versions."""

import csv
import html
import io
import json
import re
from typing import Any

import pytest

from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG
from tests.pages import Reader, shown

ROWS = """
INSERT INTO system_analytics (timestamp, total_active_pools, total_current_instances,
    total_active_instances, avg_system_cpu, avg_system_memory, max_system_cpu, max_system_memory,
    peak_instances_24h, max_active_pools_24h, active_nodes)
SELECT t.at, 7, 40, 38, 50, NULL, 90, NULL, 44, 7, 3
FROM generate_series(date_bin('5 minutes', now()::timestamp, TIMESTAMP '2000-01-01')
                         - interval '90 days' + interval '3 hours',
                     now()::timestamp, '5 minutes') AS t (at)
"""


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    central.execute("DELETE FROM system_analytics")
    central.execute(ROWS)
    return central


def plotted(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="plot-data">(.*?)</script>', text)
    assert found is not None
    data: dict[str, Any] = json.loads(html.unescape(found[1]))
    return data


def test_the_page_tells_the_present_and_the_past(store: RunningCentral, user: Reader) -> None:
    answer = user.open("/system")
    text = shown(answer)
    assert "7 in mode active" in text
    assert "38 running" in text
    assert "Most in 24 h 44" in text
    assert "CPU 50 % busiest 90 %" in text
    assert "Memory unknown" in text
    assert "PostgreSQL" in text
    assert re.search(r"Time zones \(tzdata\) 20\d\d\.\d", text)
    columns = plotted(answer.text)["columns"]
    assert {value for value in columns["instances"] if value is not None} == {40}
    assert columns["memory"].count(None) == len(columns["at"])


STEPS = [("24h", 300), ("7d", 900), ("30d", 3600), ("90d", 10_800), ("1h", 300), ("x", 300)]


@pytest.mark.parametrize(("span", "step"), STEPS)
def test_every_range_has_its_step(
    store: RunningCentral, user: Reader, span: str, step: int
) -> None:
    plot = plotted(user.open(f"/system?range={span}").text)
    assert plot == user.open(f"/system/plot?range={span}").json()
    assert plot["step"] == step
    assert plot["columns"]["at"][1] - plot["columns"]["at"][0] == step
    assert plot["columns"]["instances"].count(None) <= 2


def test_the_file_holds_the_whole_range(store: RunningCentral, user: Reader) -> None:
    (link,) = re.findall(r'href="(/v1/[^"]+)"', user.open("/system?range=90d").text)
    rows = list(csv.DictReader(io.StringIO(user.open(html.unescape(link)).text)))
    assert len(rows) > 25_000


def test_an_empty_fleet_has_a_page(central: RunningCentral, user: Reader) -> None:
    central.execute("DELETE FROM system_analytics")
    text = shown(user.open("/system"))
    assert "Nothing is recorded yet: it begins within five minutes." in text
    assert "Nothing is known of this time." in text
    assert user.open("/system/now").text.lstrip().startswith('<div id="totals"')


def test_an_admin_changes_for_how_long_history_is_kept(
    central: RunningCentral, admin: Reader
) -> None:
    text = admin.done("/system/retention", kind="metrics", days="21")
    assert "The retention was changed" in text
    kept = central.operator().get("/v1/retention").json()
    assert {"kind": "metrics", "days": 21} in kept
    central.execute("UPDATE retention_policy SET days = 14 WHERE kind = 'metrics'")


BAD = [("metrics", "7"), ("metrics", "36501"), ("metrics", "long"), ("secrets", "20"), ("", "")]


@pytest.mark.parametrize(("kind", "days"), BAD)
def test_a_retention_that_makes_no_sense_is_refused(admin: Reader, kind: str, days: str) -> None:
    assert admin.send("/system/retention", kind=kind, days=days).status_code == 422


def test_others_see_the_retention_and_change_nothing(devops: Reader) -> None:
    text = devops.open("/system").text
    assert "metrics, every minute" in text
    assert "/system/retention" not in text
    assert devops.send("/system/retention", kind="metrics", days="20").status_code == 403


def test_what_is_wrong_is_told_and_leads_to_where_it_is(
    central: RunningCentral, user: Reader
) -> None:
    central.execute("DELETE FROM conditions")
    assert "Nothing is wrong that central knows of." in shown(user.open("/system"))
    central.create_node("n1")
    central.push("n1", CONFIG)
    central.execute(
        "INSERT INTO conditions (kind, subject, node_id, pool_id, text, last_seen_at) "
        "SELECT 'capacity', 'n1/web', node_id, id, '<b>none left</b>', now() + interval '1 day' "
        "FROM pools"
    )
    for path in ("/system", "/system/now"):
        answer = user.open(path)
        assert '<a href="/nodes/n1/pools/web"><bdi>n1/web</bdi></a>' in answer.text
        assert "out of capacity" in shown(answer)
        assert "<b>none left</b>" not in answer.text
    text = shown(user.open("/nodes/n1/pools/web"))
    assert re.search(r"Out of capacity \d s ago : <b>none left</b>", text)
    assert [one["subject"] for one in user.open("/v1/conditions").json()] == ["n1/web"]


def test_notifications_are_told_with_what_became_of_them(
    central: RunningCentral, user: Reader
) -> None:
    central.execute("DELETE FROM notifications")
    assert "None was sent." in shown(user.open("/system"))
    central.execute(
        "INSERT INTO notifications (channel, state, kind, subject, text, since, sent_at, error, "
        "attempts) VALUES ('mail', 'resolved', 'stuck', 'n1/web', 'x', now(), now(), NULL, 1), "
        "('webhook', 'firing', 'stuck', 'n1/web', 'x', now(), NULL, 'it answered 500', 3)"
    )
    text = shown(user.open("/system"))
    assert "webhook firing stuck: n1/web not yet, after 3 attempts: it answered 500" in text
    assert "mail resolved stuck: n1/web" in text
    first = user.open("/v1/notifications?limit=1").json()
    rest = user.open(f"/v1/notifications?before={first[0]['id']}").json()
    assert [row["channel"] for row in first + rest] == ["webhook", "mail"]
