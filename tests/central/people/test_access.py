"""The table of permissions: every route is in it, every role is tried on every route, and every
route that changes something leaves exactly one row in the audit."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from central.passwords import hash_password
from central.permissions import ROUTES, Permission, allows
from central.store import users
from tests.central_server import YAML, RunningCentral
from tests.heartbeats import CONFIG

pytestmark = pytest.mark.slow

Call = Callable[[httpx.Client], httpx.Response]
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
GUARDED = [
    route
    for route, permission in ROUTES.items()
    if permission not in (Permission.PUBLIC, Permission.NODE)
]
WHO = ("nobody", "node", "USER", "DEVOPS", "ADMIN")


def filled(path: str) -> str:
    """A path that leads nowhere."""
    return (
        re.sub(r"\{(session|token)_id\}", "2147483647", path)
        .replace("{email}", "x@y.z")
        .replace("{name}", "none")
        .replace("{pool}", "none")
    )


def test_every_route_is_in_the_table_and_the_reverse(central: RunningCentral) -> None:
    live = {
        (method, context.path)
        for context in iter_route_contexts(central.whole.app.routes)
        for method in context.methods or ()
        if method != "HEAD"
    }
    assert live == set(ROUTES)


@pytest.mark.parametrize("who", WHO)
def test_every_role_on_every_route(central: RunningCentral, who: str) -> None:
    key = central.create_node("n1")
    token = {"nobody": None, "node": key}.get(who) or None
    if who in ("nobody", "node"):
        with central.client(token) as client:
            try_everything(client, who)
    else:
        role: users.Role = "USER" if who == "USER" else "DEVOPS" if who == "DEVOPS" else "ADMIN"
        try_everything(central.operator(role), who)


def try_everything(client: httpx.Client, who: str) -> None:
    for (method, path), permission in ROUTES.items():
        if (method, path) in {("POST", "/v1/logout"), ("POST", "/sign-out")}:
            continue  # it works for everybody who is logged in, and only once
        answer = client.request(method, filled(path))
        is_json = answer.headers.get("Content-Type") == "application/json"
        body = answer.json() if is_json else None
        code = body.get("code") if isinstance(body, dict) else None
        what = f"{who} {method} {path}: {answer.status_code} {answer.text[:200]}"
        if (method, path) in GUARDED and who in ("nobody", "node"):
            assert (answer.status_code, code) == (401, "unauthorized"), what
        elif (method, path) in GUARDED and not allows(who, permission):
            assert (answer.status_code, code) == (403, "forbidden"), what
        elif permission is Permission.NODE:
            assert answer.status_code == (422 if who == "node" else 401), what
        else:
            assert answer.status_code not in (401, 500), what
            assert code != "forbidden", what


def test_a_route_that_is_in_no_table_is_refused_for_everybody(central: RunningCentral) -> None:
    app = central.whole.app
    if not any(context.path == "/forgotten" for context in iter_route_contexts(app.routes)):
        app.get("/forgotten")(lambda: "secret")
    try:
        answer = central.operator("ADMIN").get("/forgotten")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    finally:
        app.router.routes.pop()


# what is left in the audit -----------------------------------------------------------------------

PASSWORD = "correct horse battery"
BODY = {"email": "eva@example.com", "password": PASSWORD}
MAX_30 = {"kind": "limits", "pool": "web", "max": 30}
ROLLOUT = {"nodes": ["n1"], "edits": [MAX_30]}
EXPIRES = {"expires_seconds": "3600"}


def rollout(client: httpx.Client, state: str) -> int:
    """The newest rollout in a state."""
    return next(
        int(row["id"]) for row in client.get("/v1/rollouts").json() if row["state"] == state
    )


CHANGES: dict[tuple[str, str], tuple[str, Call]] = {
    ("POST", "/v1/login"): ("LOGIN", lambda c: c.post("/v1/login", json=BODY)),
    ("POST", "/v1/session"): (
        "LOGIN",
        lambda c: c.post("/v1/session", json=BODY, headers={"Origin": str(c.base_url)}),
    ),
    ("POST", "/v1/logout"): ("LOGOUT", lambda c: c.post("/v1/logout")),
    ("POST", "/sign-in"): (
        "LOGIN",
        lambda c: c.post("/sign-in", data=BODY, headers={"Origin": str(c.base_url)}),
    ),
    ("POST", "/sign-out"): ("LOGOUT", lambda c: c.post("/sign-out", data={})),
    ("POST", "/v1/password"): (
        "PASSWORD_CHANGED",
        lambda c: c.post("/v1/password", json={"current": PASSWORD, "new": "another password"}),
    ),
    ("DELETE", "/v1/sessions/{session_id}"): (
        "SESSION_REVOKED",
        lambda c: c.delete(f"/v1/sessions/{c.get('/v1/sessions').json()[0]['id']}"),
    ),
    ("POST", "/v1/nodes"): (
        "NODE_CREATED",
        lambda c: c.post("/v1/nodes", json={"name": "n2", "region": "r1"}),
    ),
    ("POST", "/v1/nodes/{name}/keys"): (
        "NODE_KEY_ROTATED",
        lambda c: c.post("/v1/nodes/n1/keys"),
    ),
    ("POST", "/v1/nodes/{name}/keys/rotation"): (
        "NODE_KEY_ROTATION_ASKED",
        lambda c: c.post("/v1/nodes/n1/keys/rotation"),
    ),
    ("POST", "/v1/enroll-tokens"): (
        "ENROLMENT_TOKEN_CREATED",
        lambda c: c.post("/v1/enroll-tokens", json={"name": "n3"}),
    ),
    ("DELETE", "/v1/enroll-tokens/{token_id}"): (
        "ENROLMENT_TOKEN_REVOKED",
        lambda c: c.delete(f"/v1/enroll-tokens/{c.get('/v1/enroll-tokens').json()[0]['id']}"),
    ),
    ("DELETE", "/v1/nodes/{name}/keys"): (
        "NODE_KEYS_REVOKED",
        lambda c: c.delete("/v1/nodes/n1/keys?which=all"),
    ),
    ("DELETE", "/v1/nodes/{name}"): (
        "NODE_DELETED",
        lambda c: c.delete("/v1/nodes/n1?confirm=n1"),
    ),
    ("PUT", "/v1/nodes/{name}/maintenance"): (
        "MAINTENANCE_BEGAN",
        lambda c: c.put("/v1/nodes/n1/maintenance"),
    ),
    ("DELETE", "/v1/nodes/{name}/maintenance"): (
        "MAINTENANCE_ENDED",
        lambda c: c.delete("/v1/nodes/n1/maintenance"),
    ),
    ("PUT", "/v1/nodes/{name}/config"): (
        "CONFIG_PUSHED",
        lambda c: c.put("/v1/nodes/n1/config", content=CONFIG + "#\n", headers=YAML),
    ),
    ("POST", "/v1/nodes/{name}/config/rollback"): (
        "CONFIG_ROLLED_BACK",
        lambda c: c.post("/v1/nodes/n1/config/rollback?generation=1"),
    ),
    ("POST", "/v1/nodes/{name}/config/retry"): (
        "CONFIG_RETRIED",
        lambda c: c.post("/v1/nodes/n1/config/retry"),
    ),
    ("POST", "/v1/nodes/{name}/config/adopt"): (
        "CONFIG_ADOPTION_ASKED",
        lambda c: c.post("/v1/nodes/n1/config/adopt"),
    ),
    ("POST", "/v1/nodes/{name}/config/edits"): (
        "CONFIG_EDITED",
        lambda c: c.post("/v1/nodes/n1/config/edits", json={"edits": [MAX_30]}),
    ),
    ("POST", "/v1/rollouts"): ("ROLLOUT_STARTED", lambda c: c.post("/v1/rollouts", json=ROLLOUT)),
    ("POST", "/v1/rollouts/{number}/halt"): (
        "ROLLOUT_HALTED",
        lambda c: c.post(f"/v1/rollouts/{rollout(c, 'running')}/halt"),
    ),
    ("POST", "/v1/rollouts/{number}/resume"): (
        "ROLLOUT_RESUMED",
        lambda c: c.post(f"/v1/rollouts/{rollout(c, 'halted')}/resume"),
    ),
    ("POST", "/v1/users"): (
        "USER_CREATED",
        lambda c: c.post(
            "/v1/users", json={"email": "x@y.z", "full_name": "X", "password": PASSWORD}
        ),
    ),
    ("PATCH", "/v1/users/{email}"): (
        "USER_CHANGED",
        lambda c: c.patch("/v1/users/mia@example.com", json={"role": "DEVOPS"}),
    ),
    ("DELETE", "/v1/users/{email}"): (
        "USER_DELETED",
        lambda c: c.delete("/v1/users/mia@example.com"),
    ),
    ("POST", "/v1/users/{email}/password"): (
        "PASSWORD_RESET",
        lambda c: c.post("/v1/users/mia@example.com/password", json={"new": PASSWORD}),
    ),
    ("DELETE", "/v1/users/{email}/sessions"): (
        "SESSIONS_REVOKED",
        lambda c: c.delete("/v1/users/mia@example.com/sessions"),
    ),
    ("POST", "/pools/{number}/edit"): (
        "CONFIG_EDITED",
        lambda c: c.post(
            f"/pools/{c.get('/v1/pools').json()[0]['id']}/edit",
            data={"edits": json.dumps([MAX_30])},
        ),
    ),
    ("POST", "/system/retention"): (
        "RETENTION_CHANGED",
        lambda c: c.post("/system/retention", data={"kind": "metrics", "days": "20"}),
    ),
    ("PUT", "/v1/retention/{kind}"): (
        "RETENTION_CHANGED",
        lambda c: c.put("/v1/retention/metrics?days=20"),
    ),
    ("PUT", "/v1/audit/retention"): (
        "AUDIT_RETENTION_CHANGED",
        lambda c: c.put("/v1/audit/retention", json={"days": 400}),
    ),
    ("POST", "/nodes"): (
        "NODE_CREATED",
        lambda c: c.post("/nodes", data={"name": "n2", "region": "r1"}),
    ),
    ("POST", "/nodes/enroll-tokens"): (
        "ENROLMENT_TOKEN_CREATED",
        lambda c: c.post("/nodes/enroll-tokens", data={"token_region": "r1", **EXPIRES}),
    ),
    ("POST", "/nodes/enroll-tokens/{token_id}/revoke"): (
        "ENROLMENT_TOKEN_REVOKED",
        lambda c: c.post(
            f"/nodes/enroll-tokens/{c.get('/v1/enroll-tokens').json()[0]['id']}/revoke", data={}
        ),
    ),
    ("POST", "/nodes/{name}/renew-key"): (
        "NODE_KEY_ROTATION_ASKED",
        lambda c: c.post("/nodes/n1/renew-key", data={}),
    ),
    ("POST", "/nodes/{name}/rotate-key"): (
        "NODE_KEY_ROTATED",
        lambda c: c.post("/nodes/n1/rotate-key", data={"overlap_seconds": "60"}),
    ),
    ("POST", "/nodes/{name}/revoke-keys"): (
        "NODE_KEYS_REVOKED",
        lambda c: c.post("/nodes/n1/revoke-keys", data={"which": "all"}),
    ),
    ("POST", "/nodes/{name}/maintenance"): (
        "MAINTENANCE_BEGAN",
        lambda c: c.post("/nodes/n1/maintenance", data={"on": "yes", "reason": "disks"}),
    ),
    ("POST", "/nodes/{name}/config"): (
        "CONFIG_PUSHED",
        lambda c: c.post(
            "/nodes/n1/config",
            data={
                "yaml": CONFIG + "#\n",
                "base_hash": c.get("/v1/nodes/n1").json()["active_hash"],
            },
        ),
    ),
    ("POST", "/nodes/{name}/config/rollback"): (
        "CONFIG_ROLLED_BACK",
        lambda c: c.post("/nodes/n1/config/rollback", data={"generation": "1"}),
    ),
    ("POST", "/nodes/{name}/config/adopt"): (
        "CONFIG_ADOPTION_ASKED",
        lambda c: c.post("/nodes/n1/config/adopt", data={}),
    ),
    ("POST", "/nodes/{name}/retry"): (
        "CONFIG_RETRIED",
        lambda c: c.post("/nodes/n1/retry", data={}),
    ),
    ("POST", "/nodes/{name}/delete"): (
        "NODE_DELETED",
        lambda c: c.post("/nodes/n1/delete", data={"confirm": "n1"}),
    ),
    ("POST", "/rollouts"): (
        "ROLLOUT_STARTED",
        lambda c: c.post("/rollouts", data={"edits": "pools.*.limits.max=30", "which": "all"}),
    ),
    ("POST", "/rollouts/{number}/halt"): (
        "ROLLOUT_HALTED",
        lambda c: c.post(f"/rollouts/{rollout(c, 'running')}/halt", data={}),
    ),
    ("POST", "/rollouts/{number}/resume"): (
        "ROLLOUT_RESUMED",
        lambda c: c.post(f"/rollouts/{rollout(c, 'halted')}/resume", data={}),
    ),
    ("POST", "/users"): (
        "USER_CREATED",
        lambda c: c.post(
            "/users",
            data={"email": "x@y.z", "full_name": "X", "role": "USER", "password": PASSWORD},
        ),
    ),
    ("POST", "/users/{email}"): (
        "USER_CHANGED",
        lambda c: c.post(
            "/users/mia@example.com",
            data={"full_name": "Mia", "role": "DEVOPS", "is_active": "yes"},
        ),
    ),
    ("POST", "/users/{email}/password"): (
        "PASSWORD_RESET",
        lambda c: c.post("/users/mia@example.com/password", data={"new": PASSWORD}),
    ),
    ("POST", "/users/{email}/sessions"): (
        "SESSIONS_REVOKED",
        lambda c: c.post("/users/mia@example.com/sessions", data={}),
    ),
    ("POST", "/users/{email}/delete"): (
        "USER_DELETED",
        lambda c: c.post("/users/mia@example.com/delete", data={"confirm": "mia@example.com"}),
    ),
    ("POST", "/account/password"): (
        "PASSWORD_CHANGED",
        lambda c: c.post(
            "/account/password",
            data={"current": PASSWORD, "new": "another password", "again": "another password"},
        ),
    ),
    ("POST", "/account/sessions/{session_id}/end"): (
        "SESSION_REVOKED",
        lambda c: c.post(f"/account/sessions/{c.get('/v1/sessions').json()[0]['id']}/end", data={}),
    ),
}
ELSEWHERE = {  # with a provider behind them: tests/central/oidc
    ("POST", "/v1/config/check"),  # questions that need a body, and change nothing
    ("POST", "/rollouts/preview"),
    ("POST", "/pools/{number}/preview"),
    ("POST", "/v1/nodes/{name}/config/review"),
    ("POST", "/v1/nodes/{name}/config/replay"),
    ("POST", "/nodes/{name}/config/review"),
    ("POST", "/nodes/{name}/config/replay"),
    ("POST", "/v1/oidc/token"),
    ("POST", "/v1/oidc/backchannel-logout"),
    ("POST", "/v1/users/{email}/link"),
    ("POST", "/users/{email}/link"),
    ("POST", "/v1/enroll"),  # by a machine, not by an operator: tests/central/test_enrolment.py
    ("POST", "/v1/heartbeat"),  # a node's own record, in tables of its own
}


def test_every_route_that_changes_something_is_tried_below() -> None:
    assert {route for route in ROUTES if route[0] in UNSAFE} == CHANGES.keys() | ELSEWHERE


@pytest.fixture
def eva(central: RunningCentral) -> Iterator[httpx.Client]:
    """An ADMIN with a real password, another account, and a node with a configuration."""
    central.create_node("n1")
    central.push("n1", CONFIG)
    central.execute("UPDATE node_state SET failed_hash = active_hash, apply_status = 'failed'")
    central.execute("UPDATE nodes SET status = 'ACTIVE'")
    central.whole._jobs["orders"].stop()  # which would go on with these by itself
    for state in ("running", "halted"):
        central.execute(
            "INSERT INTO rollouts (state, edits, batch, allow_shrink, deadline_seconds, stages) "
            f"VALUES ('{state}', '[]', 1, 0, 60, 1)"
        )
    central.execute("UPDATE node_state SET capabilities = '{next_api_key}'")
    central.operator().post("/v1/enroll-tokens", json={"name": "n2"})
    central.execute(
        "UPDATE node_state SET running_hash = active_hash, "
        "capabilities = array_append(capabilities, 'running_config')"
    )
    with central.whole.engine.begin() as connection:
        hashed = hash_password(PASSWORD, cost=4)
        users.create(connection, "eva@example.com", "ADMIN", "Eva", hashed)
        users.create(connection, "mia@example.com", "USER", "Mia", "x")
    with central.client() as client:
        token = client.post("/v1/login", json=BODY).json()["token"]
    with central.client(token) as client:
        yield client


def last_id(central: RunningCentral) -> int:
    return int(central.rows("SELECT COALESCE(max(id), 0) AS n FROM audit_logs")[0]["n"])


@pytest.mark.parametrize("route", CHANGES, ids=" ".join)
def test_a_change_leaves_exactly_one_row(
    central: RunningCentral, eva: httpx.Client, route: tuple[str, str]
) -> None:
    action, call = CHANGES[route]
    before = last_id(central)
    answer = call(eva)
    assert answer.status_code < 400, answer.text
    rows: list[dict[str, Any]] = central.rows(
        "SELECT * FROM audit_logs WHERE id > :id ORDER BY id", id=before
    )
    assert [row["action"] for row in rows] == [action]
    (row,) = rows
    assert (row["status"], row["user_email"], row["user_role"]) == (
        "SUCCESS",
        "eva@example.com",
        "ADMIN",
    )
    assert row["ip_address"] == "127.0.0.1"
    assert row["user_agent"].startswith("python-httpx")
    assert row["request_id"] == answer.headers["X-Request-Id"]
    assert row["actor_id"] == row["user_id"]
    assert PASSWORD not in str(row)
    assert "$2b$" not in str(row)


@pytest.mark.parametrize("route", CHANGES, ids=" ".join)
def test_a_change_that_cannot_be_audited_is_not_made(
    central: RunningCentral, eva: httpx.Client, route: tuple[str, str]
) -> None:
    before = snapshot(central)
    central.execute("ALTER TABLE audit_logs ADD CONSTRAINT full_disk CHECK (id < 0) NOT VALID")
    try:
        assert CHANGES[route][1](eva).status_code == 500
    finally:
        central.execute("ALTER TABLE audit_logs DROP CONSTRAINT full_disk")
    assert snapshot(central) == before


def snapshot(central: RunningCentral) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table in ("users", "nodes", "node_configurations", "pools", "audit_policy", "audit_logs"):
        found[table] = central.rows(f"SELECT * FROM {table} ORDER BY id")
    columns = "id, user_id, revoked_at"  # the time of the last request moves on
    found["user_sessions"] = central.rows(f"SELECT {columns} FROM user_sessions ORDER BY id")
    return found
