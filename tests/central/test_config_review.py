"""Configurations before they are saved: checked, reviewed, replayed over HTTP; nothing changes."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from central.errors import ApiError
from central.history.rollup import roll_up
from central.replay_desk import ReplayDesk
from shared.config.hashing import config_hash
from shared.config.json_schema import json_schema
from tests.central_server import YAML, RunningCentral
from tests.heartbeats import CONFIG, WEB, analytics, beat

POLICY = """\
    policies:
      - {name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}
      - {name: memory, type: target_tracking, metric: MemoryUtilization, target: 70}
"""
SCALED = CONFIG + POLICY
SMALL = SCALED.replace("max: 20", "max: 3")
NIGHTS = """\
schedules:
  - {name: night, timezone: Europe/Berlin, start: "22:00", end: "06:00", target_instances: 5}
"""
HISTORY = """
INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, received_at,
  current_instances, active_instances, avg_cpu_utilization, avg_memory_utilization)
SELECT p.id, p.node_id, p.oracle_pool_id, at, now(), 4, 4,
  CASE WHEN extract(hour FROM at)::int % 4 < 2 THEN 90 ELSE 10 END, 50
FROM pools p, generate_series(:start, :end, interval '1 minute') at
"""


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    key = central.create_node("n1")
    central.push("n1", SCALED)
    with central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=12)))
    return central


def ask(store: RunningCentral, what: str, yaml: str, **params: Any) -> httpx.Response:
    path = f"/v1/nodes/n1/config/{what}"
    return store.operator("USER").post(path, content=yaml.encode(), params=params, headers=YAML)


def checked(store: RunningCentral, yaml: str | bytes) -> dict[str, Any]:
    content = yaml.encode() if isinstance(yaml, str) else yaml
    answer = store.operator("USER").post("/v1/config/check", content=content, headers=YAML)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# checking ----------------------------------------------------------------------------------------


def test_a_sound_text_is_usable_and_has_its_hash(central: RunningCentral) -> None:
    found = checked(central, CONFIG)
    assert (found["usable"], found["config_hash"]) == (True, config_hash(CONFIG))
    assert found["problems"] == []


def test_a_mistake_is_told_at_its_place_with_what_was_meant(central: RunningCentral) -> None:
    found = checked(central, CONFIG.replace("limits:", "limit:"))
    assert (found["usable"], found["config_hash"]) == (False, None)
    (problem,) = found["problems"]
    assert (problem["line"], problem["column"], problem["path"]) == (7, 5, "pools[0].limit")
    assert problem["message"] == "unknown key; did you mean 'limits'?"


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"a: \x00", b"x" * 1_100_000, b"[" * 5000])
def test_whatever_is_no_configuration_is_answered(central: RunningCentral, text: bytes) -> None:
    assert checked(central, text)["problems"]


def test_lints_know_what_time_it_is(central: RunningCentral) -> None:
    ended = (
        "overrides: [{pool: web, target_instances: 3, until: 2020-01-01T00:00:00Z, reason: x}]\n"
    )
    warnings = checked(central, CONFIG + ended)["warnings"]
    assert "this override has ended; it can be removed" in [w["message"] for w in warnings]


def test_the_schema_is_that_of_the_documentation(central: RunningCentral) -> None:
    answer = central.operator("USER").get("/v1/config/schema")
    assert answer.headers["Content-Type"].startswith("application/schema+json")
    assert json.loads(answer.text) == json_schema()


# reviewing ---------------------------------------------------------------------------------------


def test_a_review_shows_the_diff_and_what_is_terminated_and_changes_nothing(
    store: RunningCentral,
) -> None:
    shown = ask(store, "review", SMALL).json()
    assert "-    limits: {min: 2, max: 20}\n+    limits: {min: 2, max: 3}" in shown["diff"]
    assert shown["terminates"] == [{"pool": "web", "terminates": 9, "of": 12}]
    assert (shown["base_hash"], shown["base_generation"]) == (config_hash(SCALED), 1)
    assert (shown["config_hash"], shown["changed"]) == (config_hash(SMALL), True)
    assert (shown["refusal"], shown["retires"], shown["pools"]) == (None, [], ["web"])
    assert store.operator().get("/v1/nodes/n1/config").text == SCALED


def test_the_same_text_changes_nothing(store: RunningCentral) -> None:
    shown = ask(store, "review", SCALED).json()
    assert (shown["changed"], shown["diff"], shown["terminates"]) == (False, "", [])


def test_a_first_configuration_has_nothing_before_it(central: RunningCentral) -> None:
    central.create_node("n1")
    shown = ask(central, "review", CONFIG).json()
    assert (shown["base_hash"], shown["base_generation"], shown["changed"]) == (None, None, True)
    assert shown["diff"].count("\n+") == len(CONFIG.splitlines()) + 1  # and its heading


def test_schedules_are_previewed_for_14_days(store: RunningCentral) -> None:
    (preview,) = ask(store, "review", SCALED + NIGHTS).json()["previews"]
    assert (preview["pool"], preview["timezone"], preview["as_now"]) == (
        "web",
        "Europe/Berlin",
        False,
    )
    assert 28 <= len(preview["changes"]) <= 29  # in and out on each day, and the state now
    assert {(c["floor"], tuple(c["schedules"])) for c in preview["changes"]} == {
        (2, ()),
        (5, ("night",)),
    }
    store.push("n1", SCALED + NIGHTS)
    (again,) = ask(store, "review", SCALED + NIGHTS + "#\n").json()["previews"]
    assert again["as_now"] is True


def test_a_pool_of_another_node_is_told_before_the_push(store: RunningCentral) -> None:
    store.create_node("n2")
    answer = store.operator().post("/v1/nodes/n2/config/review", content=CONFIG, headers=YAML)
    assert "belongs to node n1" in answer.json()["refusal"]


def test_a_pool_that_leaves_is_named(store: RunningCentral) -> None:
    other = SCALED.replace(WEB, WEB + "2").replace("name: web", "name: new")
    assert ask(store, "review", other).json()["retires"] == ["web"]


@pytest.mark.parametrize("what", ["review", "replay"])
def test_what_cannot_be_used_is_refused_with_every_place(store: RunningCentral, what: str) -> None:
    answer = ask(store, what, SCALED.replace("min: 2", "min: two").replace("name: cpu", "nam: cpu"))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_config")
    assert {detail["line"] for detail in answer.json()["details"]} == {7, 9}


@pytest.mark.parametrize("what", ["review", "replay"])
def test_an_unknown_node_is_404(central: RunningCentral, what: str) -> None:
    assert ask(central, what, CONFIG).status_code == 404


def test_the_order_of_schedules_is_bounded(store: RunningCentral) -> None:
    many = "".join(
        f"  - {{name: s{n}, start: '{n % 24:02}:{n % 60:02}', end: '24:00', target_instances: 3}}\n"
        for n in range(1500)
    )
    answer = ask(store, "review", SCALED + "schedules:\n" + many)
    assert answer.status_code == 200
    assert answer.elapsed < timedelta(seconds=15)
    shown = answer.json()
    assert shown["previews_left_out"] == 1 or not shown["previews"][0]["complete"]


# replaying ---------------------------------------------------------------------------------------


@pytest.fixture
def lived(store: RunningCentral) -> RunningCentral:
    """A day of two hours at 90 % of four instances, then two at 10 %, and so on."""
    end = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    store.execute("DELETE FROM pool_analytics")
    store.execute(HISTORY, start=end - timedelta(hours=24), end=end)
    return store


def test_a_replay_stands_beside_the_current_one_and_what_happened(lived: RunningCentral) -> None:
    report = ask(lived, "replay", SMALL).json()
    current, proposed, recorded = report["current"], report["proposed"], report["recorded"]
    assert (report["pool"], report["start_size"]) == ("web", 4)
    assert (report["recorded_every_seconds"], report["decided_every_seconds"]) == (60, 60)
    assert current["config_hash"] == config_hash(SCALED)
    assert (current["largest_size"], proposed["largest_size"]) == (6, 3)
    assert proposed["instance_hours"] < current["instance_hours"]
    assert proposed["minutes_under_target"] > current["minutes_under_target"]
    assert current["resizes_out"] >= 3
    assert current["resizes"][0]["text"]
    assert recorded["instance_hours"] == pytest.approx(96, abs=0.2)
    assert (recorded["resizes"], recorded["largest_size"]) == (0, 4)
    assert 600 <= recorded["minutes_under_target"] <= 840
    assert 200 <= len(report["demand"]) <= 288
    assert proposed["skipped"] == ["memory"]
    assert any("skipped memory" in note for note in report["notes"])


def test_without_a_body_the_active_configuration_is_replayed_alone(lived: RunningCentral) -> None:
    report = lived.operator("USER").post("/v1/nodes/n1/config/replay").json()
    assert report["proposed"] is None
    assert report["current"]["largest_size"] == 6


def test_a_range_is_taken_from_where_to_where(lived: RunningCentral) -> None:
    end = datetime.now(UTC) - timedelta(hours=6)
    since = (end - timedelta(hours=4)).isoformat()
    report = ask(lived, "replay", SMALL, **{"from": since, "to": end.isoformat()}).json()
    span = datetime.fromisoformat(report["end"]) - datetime.fromisoformat(report["start"])
    assert timedelta(hours=3, minutes=50) < span <= timedelta(hours=4)


def test_a_week_comes_from_the_roll_ups_and_says_what_is_missing(lived: RunningCentral) -> None:
    roll_up(lived.whole.engine)
    since = (datetime.now(UTC) - timedelta(days=7)).isoformat()
    report = ask(lived, "replay", SMALL, **{"from": since}).json()
    assert report["recorded_every_seconds"] == 300
    assert report["current"]["largest_size"] == 6
    assert any("the history covers" in note and "of 7 d" in note for note in report["notes"])


def test_a_pool_without_history_says_so(store: RunningCentral) -> None:
    store.execute("DELETE FROM pool_analytics")
    answer = ask(store, "replay", SMALL)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_history")
    new = SCALED.replace(WEB, WEB + "2")
    assert "central has never had it" in ask(store, "replay", new).json()["error"]


def test_what_cannot_be_replayed_is_said(lived: RunningCentral) -> None:
    only_memory = SCALED.replace(
        "      - {name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}\n", ""
    )
    report = ask(lived, "replay", only_memory).json()
    assert report["proposed"] is None
    assert any("none of its policies looks at CpuUtilization" in n for n in report["notes"])


BAD = [
    ({"pool": "nobody"}, 404, "There is no pool 'nobody'"),
    ({"from": "2020-01-01T00:00:00Z"}, 422, "Replay between"),
    ({"from": "2999-01-01T00:00:00Z"}, 422, "Replay between"),
    ({"to": "0001-01-01T00:00:00Z"}, 422, "out of range"),
    ({"to": "9999-12-31T23:59:59-12:00"}, 422, "out of range"),
    ({"from": "0001-01-01T00:00:00+14:00", "to": "2026-01-01T00:00:00Z"}, 422, "out of range"),
]


@pytest.mark.parametrize(("params", "status", "sentence"), BAD)
def test_a_replay_that_makes_no_sense_is_refused(
    store: RunningCentral, params: dict[str, str], status: int, sentence: str
) -> None:
    answer = ask(store, "replay", SMALL, **params)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_several_pools_want_a_name(store: RunningCentral) -> None:
    two = SCALED + SCALED[SCALED.index("  - name") :].replace(WEB, WEB + "2").replace(
        "name: web", "name: batch"
    )
    answer = ask(store, "replay", two)
    assert answer.json()["error"] == "Say which pool to replay: web, batch."


# taking turns ------------------------------------------------------------------------------------


def test_a_replay_that_takes_too_long_ends() -> None:
    now = [0.0]
    desk = ReplayDesk(lambda: now[0])
    with desk.turn() as watch:
        now[0] = 4.9
        watch()
        now[0] = 5.0
        with pytest.raises(ApiError, match="choose a shorter time"):
            watch()


def test_one_replays_at_a_time() -> None:
    desk = ReplayDesk(lambda: 0.0)
    refused: list[str] = []

    def _second() -> None:
        try:
            with desk.turn():
                pass
        except ApiError as error:
            refused.append(error.code)

    with desk.turn():
        other = threading.Thread(target=_second)
        other.start()
        other.join(10)
    assert refused == ["busy"]
    with desk.turn():  # free again
        pass
