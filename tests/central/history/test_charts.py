"""History over HTTP: steps, sources, pages, CSV, and for how long it is kept."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from central.errors import ApiError
from central.history.rollup import roll_up
from central.store.charts import Range, step_of
from tests.central_server import RunningCentral, eventually
from tests.heartbeats import CONFIG, analytics, beat, metric

SCHEDULE = """\
schedules:
  - name: workday
    days: [mon, fri]
    start: "08:00"
    end: "18:00"
    target_instances: 4
"""
MIDNIGHT = datetime(2026, 1, 1)  # noqa: DTZ001 # TIMESTAMP columns carry no zone
STEPS = [
    (timedelta(minutes=30), None, 60),
    (timedelta(minutes=500), None, 60),
    (timedelta(minutes=501), None, 300),
    (timedelta(days=1), None, 300),
    (timedelta(days=2), None, 900),
    (timedelta(days=20), None, 3600),
    (timedelta(days=30), None, 21600),
    (timedelta(days=365), None, 86400),
    (timedelta(days=1), 3600, 3600),
    (timedelta(days=1), 100, 100),
]


@pytest.mark.parametrize(("length", "asked", "used"), STEPS)
def test_a_chart_takes_the_step_that_suits_its_length(
    length: timedelta, asked: int | None, used: int
) -> None:
    assert step_of(Range(MIDNIGHT, MIDNIGHT + length, asked), 1) == used


def test_a_step_is_never_finer_than_what_is_left() -> None:
    hour = Range(MIDNIGHT, MIDNIGHT + timedelta(hours=1), 60)
    assert [step_of(hour, finest) for finest in (1, 300, 3600)] == [60, 300, 3600]


def test_a_chart_has_at_most_five_thousand_points() -> None:
    span = timedelta(minutes=5000)
    assert step_of(Range(MIDNIGHT, MIDNIGHT + span, 60), 1) == 60
    with pytest.raises(ApiError, match="more than 5000 steps of 60 seconds"):
        step_of(Range(MIDNIGHT, MIDNIGHT + span + timedelta(seconds=1), 60), 1)


@pytest.fixture
def start() -> datetime:
    """The beginning of an hour two hours ago."""
    now = datetime.now(UTC)
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


@pytest.fixture
def store(central: RunningCentral, start: datetime) -> RunningCentral:
    """An hour of a pool, a row a minute with a size that tells the minute; one CPU is unknown."""
    with central.client(central.create_node("n1")) as agent:
        central.push("n1", CONFIG + SCHEDULE)
        records: list[dict[str, Any]] = []
        for minute in range(60):
            at = (start + timedelta(minutes=minute)).isoformat()
            cpu = None if minute == 0 else 50.0
            size = {"current_instances": minute + 1, "avg_cpu_utilization": cpu}
            records.append(analytics(2 * minute + 1, timestamp=at, **size))
            records.append(metric(2 * minute + 2, timestamp=at, value=float(minute)))
        assert agent.post("/v1/heartbeat", json=beat(1, *records)).status_code == 200
    eventually(lambda: roll_up(central.whole.engine))  # unless central itself is at it
    return central


def get(store: RunningCentral, path: str, start: datetime, **query: Any) -> httpx.Response:
    hours = query.pop("hours", 1)
    bounds = {"from": start.isoformat(), "to": (start + timedelta(hours=hours)).isoformat()}
    answer = store.operator("USER").get(path, params={**bounds, **query})
    assert answer.status_code == 200, answer.text
    return answer


CHARTS = [(60, 60), (120, 30), (300, 12), (900, 4), (3600, 1), (7200, 1)]


@pytest.mark.parametrize(("step", "points"), CHARTS)
def test_every_step_tells_the_same_story(
    store: RunningCentral, start: datetime, step: int, points: int
) -> None:
    answer = get(store, "/v1/pools/web/chart", start, step=step)
    rows = answer.json()
    assert answer.headers["X-Step-Seconds"] == str(step)
    assert len(rows) == points
    assert sum(row["samples"] for row in rows) == 60
    assert sum(row["cpu_count"] for row in rows) == 59
    assert min(row["current_min"] for row in rows) == 1
    assert rows[-1]["current_last"] == rows[-1]["current_max"] == 60
    assert {row["cpu_avg"] for row in rows} <= {50.0, None}


@pytest.mark.parametrize("step", [60, 300, 3600])
def test_a_metric_has_a_chart(store: RunningCentral, start: datetime, step: int) -> None:
    query = {"node": "n1", "metric": "node_cpu", "step": step}
    rows = get(store, "/v1/metrics/chart", start, **query).json()
    assert len(rows) == 3600 // step
    assert (sum(row["samples"] for row in rows), rows[-1]["value_last"]) == (60, 59.0)
    assert rows[0]["unit"] == "percent"
    assert get(store, "/v1/metrics/chart", start, **query, pool="web").json() == []


def test_old_charts_come_from_what_is_left(store: RunningCentral, start: datetime) -> None:
    for days, step in ((10, 60), (20, 300), (100, 3600)):
        old = get(store, "/v1/pools/web/chart", start - timedelta(days=days), step=60)
        assert (old.headers["X-Step-Seconds"], old.json()) == (str(step), [])


def test_metrics_go_page_by_page(store: RunningCentral, start: datetime) -> None:
    query: dict[str, Any] = {"node": "n1", "limit": 25}
    seen: list[dict[str, Any]] = []
    while page := get(store, "/v1/metrics", start, **query).json():
        seen += page
        query |= {"from": page[-1]["timestamp"], "after": page[-1]["id"]}
        query["to"] = (start + timedelta(hours=1)).isoformat()
    assert [row["value"] for row in seen] == list(range(60))
    assert {row["pool"] for row in seen} == {None}


def test_schedules_are_listed(store: RunningCentral) -> None:
    (row,) = store.operator("USER").get("/v1/schedules?node=n1").json()
    assert (row["node"], row["name"], row["start_time"], row["days"]) == (
        *("n1", "workday", "08:00"),
        ["mon", "fri"],
    )
    assert store.operator("USER").get(f"/v1/schedules?after={row['id']}").json() == []


def test_the_fleet_over_time(store: RunningCentral, start: datetime) -> None:
    store.execute("DELETE FROM system_analytics")
    store.execute(
        "INSERT INTO system_analytics (timestamp, total_current_instances, avg_system_cpu) "
        "VALUES (:at, 7, NULL), (:at + interval '5 minutes', 8, 12.5)",
        at=start.replace(tzinfo=None),
    )
    rows = get(store, "/v1/system-analytics", start).json()
    found = [(row["total_current_instances"], row["avg_system_cpu"]) for row in rows]
    assert found == [(7, None), (8, 12.5)]


def test_csv_has_a_head_and_empty_cells(store: RunningCentral, start: datetime) -> None:
    answer = get(store, "/v1/pools/web/chart", start, step=60, format="csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(rows), rows[0]["cpu_avg"], rows[1]["cpu_avg"]) == (60, "", "50.0")
    assert rows[0]["timestamp"] == start.isoformat()


@pytest.mark.parametrize(
    "path", ["/v1/pools/web/chart", "/v1/metrics?node=n1", "/v1/system-analytics"]
)
def test_an_inverted_range_is_refused(store: RunningCentral, start: datetime, path: str) -> None:
    query = {"from": start.isoformat(), "to": start.isoformat(), "node": "n1"}
    answer = store.operator("USER").get(path, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_retention_is_an_administrators_setting(central: RunningCentral) -> None:
    kept = {r["kind"]: r["days"] for r in central.operator("USER").get("/v1/retention").json()}
    assert (kept["metrics"], kept["metrics_5m"], kept["scaling_events"]) == (14, 90, 730)
    assert central.operator("DEVOPS").put("/v1/retention/metrics?days=30").status_code == 403
    assert central.operator().put("/v1/retention/metrics?days=7").status_code == 422
    assert central.operator().put("/v1/retention/nonsense?days=30").status_code == 422
    assert central.operator().put("/v1/retention/metrics?days=30").json()["days"] == 30
    (row,) = central.rows("SELECT details FROM audit_logs WHERE action = 'RETENTION_CHANGED'")
    assert row["details"] == '{"kind": "metrics", "before": 14, "after": 30}'
