"""What Prometheus reads: numbers that agree with what was sent, for those who may see them."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from central.errors import ApiError
from central.ingest.model import Submission
from central.ingest.transaction import Committed, RefusedError, UnavailableError
from central.telemetry import MeasuredCommit, Telemetry
from shared.wire import Heartbeat
from tests.central_server import RunningCentral, eventually
from tests.heartbeats import CONFIG, beat


def scraped(answer: httpx.Response | str) -> dict[str, float]:
    text = answer if isinstance(answer, str) else answer.text
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def anybody(central: RunningCentral) -> Iterator[httpx.Client]:
    with central.client() as client:
        yield client


def test_heartbeats_are_counted_as_they_are_committed(
    central: RunningCentral, anybody: httpx.Client
) -> None:
    with central.client(central.create_node("n1")) as agent:
        for sequence in range(1, 4):
            assert agent.post("/v1/heartbeat", json=beat(sequence)).status_code == 200
    found = scraped(anybody.get("/metrics"))
    assert found["poolkeeper_ingest_heartbeats_total[committed]"] == 3
    assert found["poolkeeper_ingest_batch_heartbeats_sum"] == 3
    assert found["poolkeeper_ingest_commit_seconds_count"] <= 3
    assert 0 < found["poolkeeper_ingest_commit_seconds_sum"] < 10
    assert found["poolkeeper_ingest_queue_heartbeats"] == 0
    assert found["poolkeeper_database_up"] == 1


def test_the_fleet_is_counted_by_status(central: RunningCentral, anybody: httpx.Client) -> None:
    for name in ("n1", "n2", "n3"):
        key = central.create_node(name)
        if name != "n3":
            central.push(name, CONFIG.replace(".web", f".web-{name}"))
            with central.client(key) as agent:
                agent.post("/v1/heartbeat", json=beat(1))
    central.execute("UPDATE node_state SET failed_hash = active_hash WHERE node_id = 2")
    central.execute("UPDATE node_configurations SET created_at = created_at - interval '90 s'")
    central.operator().put("/v1/nodes/n3/maintenance")
    found = scraped(anybody.get("/metrics"))
    statuses = [found[f"poolkeeper_nodes[{s}]"] for s in ("ACTIVE", "INACTIVE", "OFFLINE")]
    assert (statuses, found["poolkeeper_nodes_maintenance"]) == ([2, 1, 0], 1)
    assert found["poolkeeper_config_nodes_waiting"] == 1
    assert found["poolkeeper_config_nodes_refused"] == 1
    assert 90 <= found["poolkeeper_config_lag_seconds"] < 120
    assert found["poolkeeper_partitions_ahead_days"] == 7
    eventually(lambda: scraped(anybody.get("/metrics"))["poolkeeper_rollup_lag_seconds"] < 60)


def test_a_configuration_that_runs_is_no_lag(
    central: RunningCentral, anybody: httpx.Client
) -> None:
    key = central.create_node("n1")
    running = {"running_hash": central.push("n1", CONFIG).config_hash, "status": "applied"}
    with central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, config=running))
    found = scraped(anybody.get("/metrics"))
    assert found["poolkeeper_config_lag_seconds"] == 0
    assert found["poolkeeper_config_nodes_waiting"] == 0


def test_work_that_waits_for_somebody_is_counted(
    central: RunningCentral, anybody: httpx.Client
) -> None:
    central.create_node("n1")
    central.execute(
        "INSERT INTO rollouts (state, edits, batch, allow_shrink, deadline_seconds, stages) "
        "SELECT state, '[]', 1, 0, 60, 1 FROM unnest('{done,halted,halted}'::text[]) AS state"
    )
    central.execute(
        "INSERT INTO conditions (kind, subject, text) VALUES ('capacity', 'a', ''), "
        "('capacity', 'b', ''), ('stuck', 'a', '')"
    )
    central.execute(
        "INSERT INTO notifications (channel, state, kind, subject, text, since, created_at, "
        "sent_at) SELECT 'mail', 'firing', 'stuck', 'a', '', at, at, sent FROM (VALUES "
        "(now()::timestamp - interval '3 min', NULL), (now()::timestamp - interval '2 days', NULL),"
        " (now()::timestamp - interval '9 min', now()::timestamp)) AS v (at, sent)"
    )
    found = scraped(anybody.get("/metrics"))
    states = [found[f"poolkeeper_rollouts[{state}]"] for state in ("running", "halted")]
    assert states == [0, 2]
    kinds = [found[f"poolkeeper_conditions[{kind}]"] for kind in ("capacity", "stuck", "contended")]
    assert kinds == [2, 1, 0]
    assert 180 <= found["poolkeeper_notification_lag_seconds"] < 240


def test_a_proxy_does_not_open_them_to_the_world(anybody: httpx.Client) -> None:
    answer = anybody.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_with_a_token_it_must_be_shown(central: RunningCentral, anybody: httpx.Client) -> None:
    state = central.whole.app.state
    state.deps = replace(state.deps, metrics_token="prometheus only")
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    for shown, status in ((None, 403), ("wrong", 403), ("prometheus only", 200)):
        headers = forwarded | ({} if shown is None else {"Authorization": f"Bearer {shown}"})
        assert anybody.get("/metrics", headers=headers).status_code == status


class Scripted:
    """A commit that does what it is told."""

    def __init__(self, *outcomes: Committed | Exception) -> None:
        self.outcomes = list(outcomes)

    def write(self, batch: list[Submission]) -> Committed:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        """Nothing is open."""


def test_what_fails_is_counted_as_what_it_is(submission: Submission) -> None:
    telemetry = Telemetry()
    refused = Committed(refused=[(submission, ApiError(401, "gone", "gone"))], busy=[submission])
    commit = Scripted(UnavailableError("away"), RefusedError("poison"), refused)
    measured = MeasuredCommit(commit, telemetry, iter(range(100)).__next__)
    for error in (UnavailableError, RefusedError):
        with pytest.raises(error):
            measured.write([submission, submission])
    assert measured.write([submission, submission]) is refused
    found = scraped(telemetry.render().decode())
    outcomes = ("unavailable", "retried", "refused", "committed")
    assert [found[f"poolkeeper_ingest_heartbeats_total[{o}]"] for o in outcomes] == [2, 3, 1, 0]
    assert found["poolkeeper_ingest_commit_seconds_sum"] == 1


@pytest.fixture
def submission() -> Submission:

    return Submission(1, Heartbeat.model_validate(beat(1)), [], [], 100)
