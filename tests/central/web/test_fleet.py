"""The fleet page: every node, what is wrong first, filters that add up, hostile names as text."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from central.web.sparks import polyline
from central.web.wording import ago, clipped, duration
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, analytics, beat
from tests.pages import Reader, shown

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).replace(tzinfo=None)  # as the database tells
HOSTILE = '<img src=x onerror="alert(1)">\u202etxt' + "x" * 10_000


def rows(page: str) -> list[str]:
    """The names of the nodes in the order of the page."""
    return re.findall(r'<th scope="row"><a href="/nodes/([^"]+)"', page)


def states(central: RunningCentral, **by_name: str) -> None:
    for name, status in by_name.items():
        central.create_node(name)
        central.execute(
            "UPDATE nodes SET status = CAST(:status AS node_status) WHERE name = :name",
            status=status,
            name=name,
        )


def test_what_is_wrong_comes_first(central: RunningCentral, user: Reader) -> None:
    states(central, calm="ACTIVE", gone="OFFLINE", ill="ERROR", new="INACTIVE")
    central.push("calm", CONFIG)
    central.execute("UPDATE node_state SET running_hash = active_hash")
    page = user.open("/").text
    assert rows(page) == ["gone", "ill", "new", "calm"]
    assert "4 nodes 1 active 1 with an error 1 offline 1 inactive" in shown(user.open("/"))


def test_a_rejected_configuration_shows_its_reason_and_both_hashes(
    central: RunningCentral, user: Reader
) -> None:
    states(central, n1="ACTIVE")
    wanted = central.push("n1", CONFIG).config_hash
    central.execute(
        "UPDATE node_state SET running_hash = repeat('b', 64), failed_hash = active_hash, "
        "apply_error = 'line 3: too new for this agent'"
    )
    text = shown(user.open("/"))
    assert f"rejected bbbbbbbb → {wanted[:8]}" in text
    assert "line 3: too new for this agent" in text
    assert "1 rejected" in text


def test_a_size_is_shown_once_it_is_known(central: RunningCentral, user: Reader) -> None:
    key = central.create_node("n1")
    central.push("n1", CONFIG)
    assert "web ? 2–20" in shown(user.open("/"))
    with central.client(key) as agent:
        answer = agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=7)))
        assert answer.status_code == 200
    assert "web 7 2–20" in shown(user.open("/"))


FILTERS = {
    "status": ("?status=OFFLINE", ["gone"]),
    "name": ("?search=AL", ["calm"]),
    "region": ("?region=eu-frankfurt-1&order=name", ["calm", "gone"]),
    "another region": ("?region=us-ashburn-1", []),
    "configuration": ("?sync=pending", ["calm"]),
    "hash": ("?hash=bbbb", ["calm"]),
    "a hash of nobody": ("?hash=cccc", []),
    "all at once": ("?status=ACTIVE&search=c&sync=pending&hash=b&region=eu-frankfurt-1", ["calm"]),
}


@pytest.mark.parametrize(("query", "names"), FILTERS.values(), ids=FILTERS.keys())
def test_filters(central: RunningCentral, user: Reader, query: str, names: list[str]) -> None:
    states(central, calm="ACTIVE", gone="OFFLINE")
    central.push("calm", CONFIG)
    central.execute("UPDATE node_state SET running_hash = repeat('b', 64) WHERE active_hash <> ''")
    page = user.open("/" + query)
    assert rows(page.text) == names
    assert ("No node matches" in page.text) == (names == [])


def test_pages_of_fifty_follow_each_other(central: RunningCentral, user: Reader) -> None:
    central.execute(
        "INSERT INTO nodes (name, region) SELECT format('n%s', lpad(i::text, 3, '0')), 'r' "
        "FROM generate_series(1, 120) AS i"
    )
    seen = [name for page in user.pages("/?order=name") for name in rows(page)]
    assert seen == [f"n{number:03}" for number in range(1, 121)]


def test_hostile_texts_are_text(central: RunningCentral, user: Reader) -> None:
    states(central, n1="ERROR")
    central.execute(
        "INSERT INTO node_lifecycle_logs (node_id, event_type, new_status, reason) "
        "SELECT id, 'AGENT_ERROR', 'ERROR', :reason FROM nodes",
        reason=HOSTILE,
    )
    page = user.open("/").text
    assert "<img src=x" not in page
    assert "<bdi>&lt;img src=x onerror=" in page
    assert "x" * 200 not in page, "a row stays a row"


def test_a_refresh_is_packed_and_lets_the_session_grow_idle(
    central: RunningCentral, user: Reader
) -> None:
    states(central, **{f"n{number}": "ACTIVE" for number in range(20)})
    central.execute("UPDATE user_sessions SET last_seen_at = now() - interval '5 minutes'")
    answer = user.get("/fleet/rows", **{"X-Poll": "1", "HX-Request": "true"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(rows(answer.text)) == 20
    idle = (
        "SELECT count(*) AS n FROM user_sessions "
        "WHERE kind = 'cookie' AND last_seen_at < now() - interval '4 min'"
    )
    assert central.rows(idle) == [{"n": 1}], "a page that refreshes itself is nobody's presence"
    user.open("/")
    assert central.rows(idle) == [{"n": 0}]


def test_a_wrong_filter_is_told_as_a_page(user: Reader) -> None:
    answer = user.get("/?order=upside-down")
    assert answer.status_code == 422
    assert "This did not work" in answer.text
    assert "order" in shown(answer)


AGES = {
    "just now": (0, "0 s ago"),
    "under a minute": (59.9, "59 s ago"),
    "a minute": (60, "1 min ago"),
    "under two hours": (7199, "119 min ago"),
    "two hours": (7200, "2 h ago"),
    "under two days": (172_799, "47 h ago"),
    "two days": (172_800, "2 d ago"),
    "still to come": (-90, "in 1 min"),
}


@pytest.mark.parametrize(("seconds", "text"), AGES.values(), ids=AGES.keys())
def test_ages(seconds: float, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text
    aware = (NOW - timedelta(seconds=seconds)).replace(tzinfo=UTC)
    assert ago(aware, NOW) == text


def test_short_forms() -> None:
    assert ago(None, NOW) == "never"
    assert duration(0.4) == "0 s"
    assert clipped("x" * 120) == "x" * 120
    assert clipped("x" * 121) == "x" * 119 + "…"
    assert clipped(None) == ""


def test_a_sparkline_steps_from_size_to_size() -> None:
    day = [(NOW - timedelta(hours=24), 1), (NOW - timedelta(hours=12), 2)]
    assert polyline(day, NOW) == "0.0,12.0 48.0,12.0 48.0,2.0 96.0,2.0"
    assert polyline([], NOW) == ""
    assert polyline([(NOW, 0)], NOW) == "96.0,22.0 96.0,22.0", "a pool of none lies on the ground"
