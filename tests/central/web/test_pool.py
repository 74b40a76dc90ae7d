"""The page of a pool: what it says, what it draws, and what odd names do to it."""

import html
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from central.history.spans import ensure_spans
from shared.config.hashing import config_hash
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, WEB, analytics, beat
from tests.pages import Reader, shown

POLICIES = """\
    policies:
      - {name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}
"""
SCHEDULES = """\
timezone: Europe/Berlin
schedules:
  - {name: day, days: [mon-sun], start: "08:00", end: "18:00", target_instances: 6}
"""
YAML = CONFIG + POLICIES + SCHEDULES
HELD = "held at 4: CpuUtilization 63 % is within 54 % to 66 %"
GROWN = "scales out from 3 to 4: CpuUtilization at 70 % with target 60 % needs 4 instances"


def decision(code: str, **fields: Any) -> dict[str, Any]:
    """A decision as an agent reports it: brief, unless votes are given."""
    return {
        "current": 4,
        "desired": 4,
        "reasons": [{"code": code, "text": "…"}],
        "bounds": {"floor": 2, "ceiling": 20},
        **fields,
    }


@pytest.fixture
def now(central: RunningCentral) -> datetime:
    """The database's clock to the minute."""
    moment: datetime = central.rows("SELECT now() AS at")[0]["at"]
    return moment.replace(second=0, microsecond=0)


def report(central: RunningCentral, key: str, *records: dict[str, Any]) -> None:
    running = {"running_hash": config_hash(YAML), "status": "applied"}
    with central.client(key) as agent:
        answer = agent.post("/v1/heartbeat", json=beat(1, *records, config=running))
    assert answer.status_code == 200, answer.text


@pytest.fixture
def store(central: RunningCentral, now: datetime) -> RunningCentral:
    """Ten minutes of a pool: it grew, then it was held for five minutes; its load is known."""
    key = central.create_node("n1")
    central.push("n1", YAML)
    rows: list[dict[str, Any]] = []
    for minute in range(10, 0, -1):
        grew = minute == 6
        at = (now - timedelta(minutes=minute)).isoformat()
        size = 3 if minute > 6 else 4
        code = "scale_out" if grew else "on_target"
        more = {"before": 3, "to": 4} if grew else {}
        fields: dict[str, Any] = {
            "timestamp": at,
            "current_instances": size,
            "active_instances": size,
            "avg_cpu_utilization": 63.0,
            "scaling_reason": GROWN if grew else HELD,
            "decision": decision(code, current=size, **more),
        }
        if grew:
            fields["scaling_event"] = "SCALE_OUT"
        value = {
            "kind": "metric",
            "oracle_pool_id": WEB,
            "metric_type": "policy_value:cpu",
            "value": 63.0,
            "unit": "percent",
            "timestamp": at,
        }
        rows.append(analytics(len(rows) + 1, **fields))
        rows.append({**value, "sequence": len(rows) + 1})
    report(central, key, *rows)
    return central


def plotted(text: str) -> dict[str, Any]:
    """What a page gives to its script."""
    found = re.search(r'<script type="application/json" id="plot-data">(.*?)</script>', text)
    assert found is not None
    data: dict[str, Any] = json.loads(html.unescape(found[1]))
    return data


def number(central: RunningCentral) -> int:
    return int(central.rows("SELECT id FROM pools ORDER BY id")[0]["id"])


def test_the_page_says_how_large_the_pool_is_and_why(store: RunningCentral, user: Reader) -> None:
    text = shown(user.open("/nodes/n1/pools/web"))
    assert "Size 4 Running 4 Wanted 4 Bounds now 2–20 Limits 2–20 CPU 63 %" in text
    assert f"{HELD} 1 min ago , the same since 5 min ago" in text.replace("ago,", "ago ,")
    assert f"scale out {GROWN}" in text
    assert "cpu adds 1 above CpuUtilization 66 %" in text
    assert "cpu could do with 1 instance less below CpuUtilization 45 %" in text


def test_the_plot_has_sizes_bounds_need_utilisation_and_every_event(
    store: RunningCentral, user: Reader, now: datetime
) -> None:
    plot = plotted(user.open("/nodes/n1/pools/web?range=1h").text)
    columns = plot["columns"]
    assert plot["step"] == 60
    assert {len(column) for column in columns.values()} == {len(columns["at"])}
    assert 60 <= len(columns["at"]) <= 61
    known = {at: i for i, at in enumerate(columns["at"]) if columns["size"][i] is not None}
    assert len(known) == 10
    index = known[(now - timedelta(minutes=5)).timestamp()]
    values = {name: column[index] for name, column in columns.items()}
    wanted = {"size": 4, "running": 4, "floor": 2, "ceiling": 20, "demand": 4.2, "cpu": 63.0}
    assert values.items() >= wanted.items()
    assert values["memory"] is None, "unknown, not 0"
    (mark,) = plot["marks"]
    assert (mark["kind"], mark["size"], mark["reason"]) == ("SCALE_OUT", "3 → 4", GROWN)
    assert mark["at"] == (now - timedelta(minutes=6)).timestamp()


def test_a_plot_goes_on_from_where_it_was(
    store: RunningCentral, user: Reader, now: datetime
) -> None:
    since = int((now - timedelta(minutes=3)).timestamp())
    answer = user.open(f"/pools/{number(store)}/plot?range=1h&since={since}").json()
    assert answer["columns"]["at"][0] == since
    assert len(answer["columns"]["at"]) in (4, 5)
    assert answer["marks"] == []
    late = user.open(f"/pools/{number(store)}/plot?range=1h&since={since + 10**9}").json()
    assert late["columns"]["size"] in ([], [None])


HOURS = """
INSERT INTO pool_analytics_1h (pool_id, bucket, samples, current_min, current_max, current_avg,
    current_last, active_min, active_max, active_avg, active_last, cpu_count, memory_count)
SELECT id, date_trunc('hour', now()::timestamp) - :ago * interval '1 day',
    60, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0 FROM pools
"""


def test_bounds_of_times_whose_rows_have_gone_are_those_of_the_yaml_of_then(
    store: RunningCentral, user: Reader, now: datetime
) -> None:
    store.execute("UPDATE node_configurations SET created_at = now() - interval '40 days'")
    store.push("n1", CONFIG.replace("min: 2, max: 20", "min: 3, max: 9"))
    store.execute(
        "UPDATE node_configurations SET created_at = now() - interval '20 days' WHERE is_active"
    )
    ago = (50, 25, 15)
    with store.whole.engine.begin() as connection:
        days = [(now - timedelta(days=day)).date() for day in ago]
        ensure_spans(connection, "pool_analytics_1h", days)
    for day in ago:
        store.execute(HOURS, ago=day)
    columns = plotted(user.open("/nodes/n1/pools/web?range=90d").text)["columns"]
    known = [
        (columns["floor"][i], columns["ceiling"][i])
        for i, size in enumerate(columns["size"])
        if size is not None
    ]
    before, first, second = known[:3]
    assert before == (None, None), "there was no configuration yet"
    assert first[0] in (2, 6), "its floor, by day or by night"
    assert (first[1], second) == (20, (3, 9))


@pytest.mark.parametrize("span", ["1h", "6h", "24h", "7d", "30d", "90d"])
def test_every_range_has_a_page(store: RunningCentral, user: Reader, span: str) -> None:
    text = user.open(f"/nodes/n1/pools/web?range={span}").text
    assert f'<a href="?range={span}" aria-current="true">' in text
    assert len(plotted(text)["columns"]["at"]) <= 721


def test_a_range_that_is_not_offered_is_the_usual_one(store: RunningCentral, user: Reader) -> None:
    assert "6 hours" in shown(user.open("/nodes/n1/pools/web?range=soon"))


def test_the_table_and_the_files_hold_what_the_plot_shows(
    store: RunningCentral, user: Reader
) -> None:
    text = user.open("/nodes/n1/pools/web?range=1h").text
    assert "4 4 2 20 4.2 63.0 —" in " ".join(re.sub(r"<[^>]*>", " ", text).split())
    links = [html.unescape(found) for found in re.findall(r'href="(/v1/[^"]+)"', text)]
    steps, events = (user.open(link).text for link in links)
    assert steps.startswith("timestamp,samples,current_min")
    assert len(steps.splitlines()) == 11
    assert GROWN in events


def test_the_live_part_is_two_sections_of_which_one_goes_elsewhere(
    store: RunningCentral, user: Reader
) -> None:
    text = user.get(f"/pools/{number(store)}/now", **{"HX-Request": "true"}).text
    assert text.lstrip().startswith('<div id="numbers"')
    assert 'id="decisions"' in text
    assert 'hx-swap-oob="true"' in text
    assert "<html" not in text


def test_the_next_two_weeks_are_listed_and_drawn(store: RunningCentral, user: Reader) -> None:
    text = user.open("/nodes/n1/pools/web").text
    assert "From (Europe/Berlin)" in text
    assert shown(user.open("/nodes/n1/pools/web")).count("UTC 6 20 day") >= 13
    assert '<polygon class="band" points="' in text


def test_old_numbers_are_said_to_be_old(store: RunningCentral, user: Reader, now: datetime) -> None:
    store.execute("UPDATE pool_analytics SET timestamp = timestamp - interval '20 minutes'")
    store.execute("UPDATE nodes SET status = 'OFFLINE'")
    assert "the node is OFFLINE" in shown(user.open("/nodes/n1/pools/web"))


def test_a_pool_of_which_nothing_is_known_says_so(central: RunningCentral, user: Reader) -> None:
    central.create_node("n1")
    central.push("n1", CONFIG)
    text = shown(user.open("/nodes/n1/pools/web"))
    assert "The node has not reported this pool yet." in text
    assert "None is known of the last hours." in text
    assert "Nothing changes: no schedule and no override" in text


def test_a_retired_pool_is_shown_without_actions(store: RunningCentral, devops: Reader) -> None:
    other = CONFIG.replace(WEB, WEB + "2").replace("name: web", "name: other")
    store.push("n1", other, allow_shrink=100)
    text = shown(devops.open("/nodes/n1/pools/web"))
    assert "This pool left its node's configuration" in text
    assert "Override" not in text


HOSTILE = [
    "<script>alert(1)</script>",
    "a/b/c",
    "a?b#c&d=e",
    "100% <b>",
    "\"quoted\" 'twice'",
    "\u202etxt.exe",
    "{{ 7 * 7 }}",
    "ünï cödé 池",
    "x" * 255,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_wherever_it_comes_from(
    store: RunningCentral, devops: Reader, name: str
) -> None:
    store.execute("UPDATE pools SET name = :name", name=name)
    rows = devops.open("/").text
    (address,) = set(re.findall(r'href="(/nodes/n1/pools/[^"]+)"', rows))
    answer = devops.open(html.unescape(address))
    heading = re.search(r"<h1><bdi>(.*?)</bdi></h1>", answer.text, re.DOTALL)
    assert heading is not None
    assert html.unescape(heading[1]) == name
    assert not {"<", ">"} & set(heading[1]), "escaped, not taken out"
    assert "<script>alert" not in answer.text


def test_a_reason_is_text_of_at_most_a_few_lines(
    store: RunningCentral, user: Reader, now: datetime
) -> None:
    hostile = "</script><script>alert(1)</script>" + "y" * 3000
    store.execute("UPDATE pool_analytics SET scaling_reason = :text", text=hostile)
    text = user.open("/nodes/n1/pools/web").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    reason = plotted(text)["marks"][0]["reason"]
    assert (len(reason), reason[:17]) == (400, "</script><script>")


ODD_DECISIONS: list[dict[str, Any]] = [
    {"votes": "none", "bounds": 7, "reasons": {}, "desired": "many", "before": [], "to": {}},
    {"votes": [1, None, {"policy": {}, "grows": 3}], "bounds": {"floor": 1e300, "ceiling": -1}},
    {"votes": [{"grows": {"value": 10**400, "size": 9}}], "bounds": {"floor": 10**400}},
    {"votes": [{"grows": {"value": "66", "size": 5}, "shrinks": {"value": True, "size": 1}}]},
    {"votes": [], "bounds": {"floor": 2**40, "ceiling": None}, "reasons": [1], "desired": 1.5},
]


@pytest.mark.parametrize("odd", ODD_DECISIONS)
def test_a_decision_of_an_odd_agent_is_left_out_not_a_failure(
    store: RunningCentral, user: Reader, odd: dict[str, Any]
) -> None:
    store.execute("UPDATE pool_analytics SET decision = CAST(:odd AS jsonb)", odd=json.dumps(odd))
    text = user.open("/nodes/n1/pools/web?range=1h").text
    assert HELD in text
    assert {mark["size"] for mark in plotted(text)["marks"]} == {"4"}
    assert set(plotted(text)["columns"]["ceiling"]) == {None}


MISSING = [
    "/nodes/n1/pools/none",
    "/nodes/none/pools/web",
    "/pools/2147483647/now",
    "/pools/2147483647/plot",
]


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_said(store: RunningCentral, user: Reader, path: str) -> None:
    assert user.get(path).status_code == 404


def test_a_reader_sees_no_actions(store: RunningCentral, user: Reader) -> None:
    text = user.open("/nodes/n1/pools/web").text
    assert "Change it" not in text
    assert 'action="/pools/' not in text


def test_what_would_change_the_size_is_not_told_of_a_yaml_that_does_not_run(
    store: RunningCentral, user: Reader
) -> None:
    store.execute("UPDATE node_state SET running_hash = 'another'")
    text = shown(user.open("/nodes/n1/pools/web"))
    assert "the node does not run the newest configuration yet" in text
    assert "cpu adds" not in text
