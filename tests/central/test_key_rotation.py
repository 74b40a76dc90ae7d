"""A key that the agent renews by itself: handed out until it is used, and then the only one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.central_client import CentralClient, CentralError
from agent.keyring import Keyring
from agent.rotation import RotatingCentral
from central.tokens import digest
from shared.wire import Heartbeat, HeartbeatAnswer
from tests.agent.rig import wall_now
from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import beat

ABLE = {"capabilities": ["next_api_key"]}


@pytest.fixture
def key(central: RunningCentral) -> str:
    """The key of a node whose agent was heard and can renew it."""
    key = central.create_node("n1")
    assert post(central, key, 1).status_code == 200
    return key


def post(central: RunningCentral, key: str, sequence: int, **fields: Any) -> httpx.Response:
    with central.client(key) as agent:
        return agent.post("/v1/heartbeat", json=beat(sequence, **(ABLE | fields)))


def successor(central: RunningCentral, key: str, sequence: int, **fields: Any) -> str | None:
    """The key that an answer brings."""
    response = post(central, key, sequence, **fields)
    assert response.status_code == 200, response.text
    return HeartbeatAnswer.model_validate_json(response.content).next_api_key


def ask(central: RunningCentral, **query: int) -> None:
    answer = central.operator("DEVOPS").post("/v1/nodes/n1/keys/rotation", params=query)
    assert answer.status_code == 202, answer.text
    assert answer.json()["rotate_key_since"] is not None


def keys(central: RunningCentral) -> list[tuple[str, bool, bool]]:
    """Each key's hash, whether it is a candidate, and whether it was revoked."""
    rows = central.rows("SELECT * FROM node_keys ORDER BY id")
    return [(r["key_hash"], r["candidate"], r["revoked_at"] is not None) for r in rows]


def test_nobody_gets_a_successor_unasked(central: RunningCentral, key: str) -> None:
    assert successor(central, key, 2) is None


def test_the_first_use_of_a_successor_ends_the_key_before(
    central: RunningCentral, key: str
) -> None:
    ask(central)
    new = successor(central, key, 2)
    assert new is not None
    assert keys(central) == [(digest(key), False, False), (digest(new), True, False)]
    assert post(central, key, 3).status_code == 200, "until then the old one works"
    new = successor(central, key, 4)
    assert new is not None
    assert successor(central, new, 5) is None
    eventually(lambda: post(central, key, 6).status_code == 401, within=1)
    assert post(central, new, 7).status_code == 200
    assert central.rows("SELECT api_key_hash FROM nodes") == [{"api_key_hash": digest(new)}]
    assert central.operator().get("/v1/nodes/n1").json()["rotate_key_since"] is None
    actions = [row["action"] for row in central.rows("SELECT action FROM audit_logs ORDER BY id")]
    assert actions[-2:] == ["NODE_KEY_ROTATION_ASKED", "NODE_KEY_RENEWED"]


def test_a_lost_answer_is_made_good_by_another_key_and_only_the_newest_counts(
    central: RunningCentral, key: str
) -> None:
    ask(central)
    handed = [successor(central, key, sequence) for sequence in range(2, 6)]
    assert len(set(handed)) == 4
    assert len(keys(central)) == 2, "what nobody got leaves nothing behind"
    for sequence, lost in enumerate(handed[:3], 6):
        assert post(central, str(lost), sequence).status_code == 401
    assert post(central, str(handed[3]), 9).status_code == 200


def test_no_key_is_stored_in_clear(central: RunningCentral, key: str) -> None:
    ask(central)
    new = successor(central, key, 2)
    for table in ("node_keys", "node_state", "node_heartbeats", "audit_logs", "nodes"):
        assert str(new) not in str(central.rows(f"SELECT * FROM {table}"))


def test_a_repeat_and_a_late_heartbeat_get_none(central: RunningCentral, key: str) -> None:
    ask(central)
    new = successor(central, key, 5)
    assert successor(central, key, 5) is None
    assert successor(central, key, 4) is None
    assert post(central, str(new), 6).status_code == 200


def test_with_an_overlap_the_old_key_ends_even_if_the_new_one_is_never_used(
    central: RunningCentral, key: str
) -> None:
    ask(central, overlap_seconds=3600)
    new = successor(central, key, 2)
    (left,) = central.rows(
        "SELECT EXTRACT(EPOCH FROM expires_at - now()::timestamp) AS s FROM node_keys WHERE id = 1"
    )
    assert 3500 < left["s"] <= 3600
    central.execute("UPDATE node_keys SET expires_at = now() - interval '1 s' WHERE id = 1")
    eventually(lambda: post(central, key, 3).status_code == 401, within=1)
    assert post(central, str(new), 4).status_code == 200


def test_an_agent_that_cannot_do_it_is_not_asked(central: RunningCentral) -> None:
    key = central.create_node("n1")
    post(central, key, 1, capabilities=[])
    answer = central.operator().post("/v1/nodes/n1/keys/rotation")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_able")
    assert successor(central, key, 2) is None


@pytest.mark.parametrize(("method", "path"), [("POST", "keys"), ("DELETE", "keys?which=all")])
def test_an_operators_own_rotation_or_revocation_ends_it(
    central: RunningCentral, key: str, method: str, path: str
) -> None:
    ask(central)
    new = successor(central, key, 2)
    assert central.operator().request(method, f"/v1/nodes/n1/{path}").is_success
    assert post(central, str(new), 3).status_code == 401
    assert central.operator().get("/v1/nodes/n1").json()["rotate_key_since"] is None


@pytest.fixture
def replica(central: RunningCentral, database_url: str) -> Iterator[RunningCentral]:
    with running_central(database_url) as second:
        yield second


@pytest.mark.fault(32)
def test_a_rotation_may_go_through_any_replica(
    central: RunningCentral, replica: RunningCentral, key: str
) -> None:
    ask(central)
    lost = successor(central, key, 2)
    new = successor(replica, key, 3)
    assert post(central, str(lost), 4).status_code == 401
    assert post(central, str(new), 5).status_code == 200
    eventually(lambda: post(replica, key, 6).status_code == 401, within=1)
    assert post(replica, str(new), 7).status_code == 200


def test_its_first_use_on_two_replicas_at_once_is_one_renewal(
    central: RunningCentral, replica: RunningCentral, key: str
) -> None:
    ask(central)
    new = str(successor(central, key, 2))
    with ThreadPoolExecutor(8) as pool:
        centrals = [central, replica] * 4
        found = list(pool.map(lambda c, n: post(c, new, n).status_code, centrals, range(3, 11)))
    assert set(found) == {200}
    renewed = central.rows("SELECT 1 FROM audit_logs WHERE action = 'NODE_KEY_RENEWED'")
    assert len(renewed) == 1


class Losing(httpx.HTTPTransport):
    """A way to central that loses the answers of some requests."""

    def __init__(self, lost: set[int]) -> None:
        super().__init__()
        self.lost, self.sent = lost, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        response = super().handle_request(request)
        if self.sent in self.lost:
            response.read()
            raise httpx.ReadError("the connection broke")
        return response


@pytest.mark.fault(32)
@pytest.mark.parametrize("lost", [set[int](), {1}, {2}, {3}, {1, 2, 3}, {2, 4, 6}], ids=str)
def test_the_real_agent_renews_its_key_whichever_answers_are_lost(
    central: RunningCentral, key: str, tmp_path: Path, lost: set[int]
) -> None:
    ask(central)
    ring = Keyring(tmp_path, key, pytest.fail)
    http = httpx.Client(transport=Losing(lost))
    client = CentralClient(http, central.url, ring.current, lambda: 0.0, wall_now)
    node = RotatingCentral(client, ring)
    answered = 0
    for sequence in range(2, 14):
        with suppress(CentralError):
            node.post(Heartbeat.model_validate(beat(sequence, **ABLE)))
            answered += 1
    assert answered >= 12 - len(lost) - 1
    assert ring.current() == (tmp_path / "api_key").read_text()
    assert ring.current() != key
    eventually(lambda: post(central, key, 20).status_code == 401, within=1)
    assert len([1 for _, candidate, revoked in keys(central) if not (candidate or revoked)]) == 1
    http.close()
