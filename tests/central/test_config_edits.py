"""Edits of one node's configuration over HTTP: shown, made, refused."""

from typing import Any

import httpx
import pytest

from shared.config.hashing import config_hash
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, analytics, beat

MAX_30 = {"kind": "limits", "pool": "web", "max": 30}


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    key = central.create_node("n1")
    central.push("n1", CONFIG)
    with central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=12)))
    return central


def ask(store: RunningCentral, *edits: dict[str, Any], **options: Any) -> httpx.Response:
    headers = options.pop("headers", {})
    body = {"edits": list(edits), **options}
    return store.operator().post("/v1/nodes/n1/config/edits", json=body, headers=headers)


def test_a_dry_run_shows_and_changes_nothing(store: RunningCentral) -> None:
    shown = ask(store, {"kind": "limits", "pool": "web", "max": 3}, dry_run=True).json()
    assert "-    limits: {min: 2, max: 20}\n+    limits: {min: 2, max: 3}" in shown["diff"]
    assert shown["terminates"] == [{"pool": "web", "terminates": 9, "of": 12}]
    assert (shown["generation"], shown["base_hash"]) == (None, config_hash(CONFIG))
    assert store.operator().get("/v1/nodes/n1/config").text == CONFIG
    assert store.rows("SELECT * FROM audit_logs WHERE action = 'CONFIG_EDITED'") == []


def test_an_edit_is_a_new_version_with_its_audit_row(store: RunningCentral) -> None:
    made = ask(store, MAX_30, {"kind": "mode", "pool": "web", "mode": "observe"}).json()
    assert made["generation"] == 2
    pulled = store.operator().get("/v1/nodes/n1/config")
    assert pulled.text == CONFIG.replace("max: 20", "max: 30").replace(
        "region: eu-frankfurt-1\n", "region: eu-frankfurt-1\n    mode: observe\n"
    )
    assert config_hash(pulled.text) == made["config_hash"]
    (row,) = store.rows("SELECT * FROM audit_logs WHERE action = 'CONFIG_EDITED'")
    assert '"mode": "observe"' in row["details"]


def test_an_edit_that_changes_nothing_makes_no_version(store: RunningCentral) -> None:
    made = ask(store, {"kind": "limits", "pool": "web", "max": 20}).json()
    assert (made["changed"], made["generation"], made["diff"]) == (False, None, "")


def test_an_edit_of_what_has_changed_meanwhile_is_refused(store: RunningCentral) -> None:
    headers = {"If-Match": f'"{config_hash(CONFIG)}"'}
    assert ask(store, MAX_30, headers=headers).status_code == 200
    again = ask(store, {"kind": "limits", "pool": "web", "max": 31}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (412, "changed")


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such pool": ({"kind": "mode", "pool": "db", "mode": "paused"}, 422, "no pool 'db'"),
    "not a mode": ({"kind": "mode", "pool": "web", "mode": "asleep"}, 422, "not valid"),
    "an illegal result": ({"kind": "limits", "pool": "web", "max": 1}, 422, "min (2) is above"),
    "a loss": ({"kind": "limits", "pool": "web", "max": 5}, 409, "7 of 12 instances in web now"),
    "an unknown key": ({"kind": "set", "path": "pools.web.mod", "value": 1}, 422, "unknown key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_its_reason(store: RunningCentral, name: str) -> None:
    edit, status, words = REFUSED[name]
    answer = ask(store, edit)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_an_agreed_loss_is_made(store: RunningCentral) -> None:
    assert ask(store, {"kind": "limits", "pool": "web", "max": 5}, allow_shrink=7).is_success


def test_a_node_without_a_configuration_has_nothing_to_edit(store: RunningCentral) -> None:
    store.create_node("n2")
    answer = store.operator().post("/v1/nodes/n2/config/edits", json={"edits": [MAX_30]})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_config")
