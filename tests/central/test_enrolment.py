"""Machines become nodes: once for each token, again after a lost answer, never out of scope."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from central.enrolment_gate import ADDRESS_BURST, TOTAL_BURST, EnrolmentGate
from central.errors import ApiError
from central.store import enrolment
from central.tokens import digest, is_enrolment_token, new_enrolment_token
from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import CONFIG, beat

NONCE = "0123456789abcdef" * 4
FRANKFURT = "eu-frankfurt-1"


def make_token(central: RunningCentral, **scope: Any) -> str:
    answer = central.operator("DEVOPS").post("/v1/enroll-tokens", json=scope)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def enroll(central: RunningCentral, token: str | None, **asked: Any) -> httpx.Response:
    body = {"name": "web-1", "region": FRANKFURT, "nonce": NONCE} | asked
    with central.client(token) as machine:
        return machine.post(
            "/v1/enroll", json={name: value for name, value in body.items() if value is not None}
        )


def works(central: RunningCentral, key: str, sequence: int = 1) -> bool:
    with central.client(key) as agent:
        return agent.post("/v1/heartbeat", json=beat(sequence)).status_code == 200


def audited(central: RunningCentral) -> dict[str, Any]:
    (row,) = central.rows(
        "SELECT * FROM audit_logs WHERE action = 'NODE_ENROLLED' ORDER BY id DESC LIMIT 1"
    )
    return row


def test_a_machine_becomes_a_node_with_a_key_that_works(central: RunningCentral) -> None:
    token = make_token(central, name="web-*", region=FRANKFURT)
    answer = enroll(central, token)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["name"], made["region"]) == ("web-1", FRANKFURT)
    assert works(central, made["api_key"])
    row = audited(central)
    assert (row["status"], row["resource_name"], row["user_email"]) == ("SUCCESS", "web-1", None)
    assert row["ip_address"] == "127.0.0.1"
    details = json.loads(row["details"])
    assert details == {"region": FRANKFURT, "token": 1, "made_by": "devops@example.com"}
    (view,) = central.operator().get("/v1/enroll-tokens").json()
    assert (view["state"], view["node"]) == ("used", "web-1")


def test_no_secret_of_it_is_stored(central: RunningCentral) -> None:
    token = make_token(central, name="web-1")
    key = enroll(central, token).json()["api_key"]
    for table in ("enrolment_tokens", "node_keys", "nodes", "audit_logs"):
        held = str(central.rows(f"SELECT * FROM {table}"))
        assert token not in held
        assert key not in held
        assert NONCE not in held
    (row,) = central.rows("SELECT token_hash, nonce_hash FROM enrolment_tokens")
    assert row == {"token_hash": digest(token), "nonce_hash": digest(NONCE)}


def test_after_a_lost_answer_the_same_machine_gets_a_key_for_the_same_node(
    central: RunningCentral,
) -> None:
    token = make_token(central, name="web-*")
    lost = enroll(central, token).json()
    again = enroll(central, token)
    assert again.status_code == 201
    assert again.json()["id"] == lost["id"]
    assert central.rows("SELECT count(*) AS n FROM nodes") == [{"n": 1}]
    eventually(lambda: not works(central, lost["api_key"]), within=1)
    assert works(central, again.json()["api_key"])


def test_once_the_node_was_heard_its_token_is_spent_for_good(central: RunningCentral) -> None:
    token = make_token(central, name="web-*")
    key = enroll(central, token).json()["api_key"]
    assert works(central, key)
    again = enroll(central, token)
    assert (again.status_code, again.json()["code"]) == (403, "token_used")
    assert works(central, key, 2)


def test_a_repeat_outlives_the_token_but_not_its_revocation(central: RunningCentral) -> None:
    token = make_token(central, name="web-1")
    assert enroll(central, token).status_code == 201
    central.execute("UPDATE enrolment_tokens SET expires_at = now() - interval '1 s'")
    assert enroll(central, token).status_code == 201
    assert central.operator().delete("/v1/enroll-tokens/1").json()["state"] == "revoked"
    refused = enroll(central, token)
    assert (refused.status_code, refused.json()["code"]) == (403, "token_revoked")


def test_two_machines_with_one_token_at_once_are_one_node(central: RunningCentral) -> None:
    token = make_token(central, region=FRANKFURT)

    def _try(number: int) -> int:
        return enroll(central, token, name=f"web-{number}", nonce=f"{number:064x}").status_code

    with ThreadPoolExecutor(6) as pool:
        found = sorted(pool.map(_try, range(6)))
    assert found == [201, 403, 403, 403, 403, 403]
    assert central.rows("SELECT count(*) AS n FROM nodes") == [{"n": 1}]


def test_two_replicas_let_one_of_two_machines_in(
    central: RunningCentral, database_url: str
) -> None:
    token = make_token(central, region=FRANKFURT)
    with running_central(database_url) as second, ThreadPoolExecutor(2) as pool:

        def _try(number: int) -> int:
            asked = {"name": f"web-{number}", "nonce": f"{number:064x}"}
            return enroll((central, second)[number], token, **asked).status_code

        assert sorted(pool.map(_try, range(2))) == [201, 403]
        (made,) = central.rows("SELECT name FROM nodes")
        number = int(made["name"][-1])
        again = enroll((central, second)[1 - number], token, **made, nonce=f"{number:064x}")
        assert again.status_code == 201, "the repeat may come to the other one"


Spoil = Callable[[RunningCentral], None]


def _expire(central: RunningCentral) -> None:
    central.execute("UPDATE enrolment_tokens SET expires_at = now() - interval '1 s'")


def _use(central: RunningCentral) -> None:
    central.execute("UPDATE enrolment_tokens SET used_at = now(), node_name = 'db-1'")


def _revoke(central: RunningCentral) -> None:
    central.operator().delete("/v1/enroll-tokens/1")


def _nothing(_central: RunningCentral) -> None:
    """It is refused for what is asked."""


REFUSED: dict[str, tuple[dict[str, Any], Spoil, dict[str, Any], int, str, str]] = {
    "an expired one": ({}, _expire, {}, 403, "token_expired", "has expired"),
    "a used one": ({}, _use, {}, 403, "token_used", "used already, for the node db-1"),
    "a revoked one": ({}, _revoke, {}, 403, "token_revoked", "was revoked"),
    "another name": ({}, _nothing, {"name": "db-1"}, 403, "out_of_scope", "is for web-*, not for"),
    "another region": (
        {"region": FRANKFURT}, _nothing, {"region": "us-ashburn-1"}, 403, "out_of_scope",
        "is for eu-frankfurt-1, not us-ashburn-1",
    ),
    "no region": ({}, _nothing, {"region": None}, 422, "invalid", "Name the node's region"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "spoil", "asked", "status", "code", "says"), REFUSED.values(), ids=REFUSED.keys()
)
def test_what_does_not_fit_is_refused_in_a_sentence_and_audited(
    central: RunningCentral,
    scope: dict[str, Any],
    spoil: Spoil,
    asked: dict[str, Any],
    status: int,
    code: str,
    says: str,
) -> None:
    token = make_token(central, **({"name": "web-*"} | scope))
    spoil(central)
    answer = enroll(central, token, **asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert says in answer.json()["error"]
    row = audited(central)
    assert (row["status"], row["error_message"]) == ("FAILURE", answer.json()["error"])
    assert json.loads(row["details"])["token"] == 1
    assert central.rows("SELECT count(*) AS n FROM nodes") == [{"n": 0}]


def test_a_token_of_nobody_is_refused_and_audited(central: RunningCentral) -> None:
    answer = enroll(central, new_enrolment_token().text)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert audited(central)["status"] == "FAILURE"


NO_TOKENS = {
    "none": None,
    "too short": "pk_enroll_x",
    "of another kind": "x",
    "a letter too long": new_enrolment_token().text + "0",
}


@pytest.mark.parametrize("token", NO_TOKENS.values(), ids=NO_TOKENS.keys())
def test_what_is_no_token_never_reaches_the_database(
    central: RunningCentral, token: str | None
) -> None:
    assert enroll(central, token).status_code == 401
    assert central.rows("SELECT 1 FROM audit_logs") == []


@pytest.mark.parametrize("changed", [0, 15, -1])
def test_a_mistyped_token_is_known_by_its_checksum(changed: int) -> None:
    text = new_enrolment_token().text
    assert is_enrolment_token(text)
    other = "a" if text[changed] != "a" else "b"
    assert not is_enrolment_token(text[:changed] + other + text[changed:][1:])


# nodes that exist already ------------------------------------------------------------------------


def test_a_node_that_was_prepared_is_taken_over_by_a_token_of_its_name(
    central: RunningCentral,
) -> None:
    prepared = central.create_node("web-1")
    central.push("web-1", CONFIG)
    wildcard = enroll(central, make_token(central, name="web-*"))
    assert (wildcard.status_code, wildcard.json()["code"]) == (409, "exists")
    made = enroll(central, make_token(central, name="web-1"), region=None).json()
    assert works(central, made["api_key"])
    assert not works(central, prepared, 2), "the key from before it came ends"
    with central.client(made["api_key"]) as agent:
        assert agent.post("/v1/heartbeat", json=beat(3)).json()["yaml_config"] == CONFIG


def test_a_node_that_was_heard_is_replaced_only_when_an_operator_said_so(
    central: RunningCentral,
) -> None:
    before = central.create_node("web-1")
    assert works(central, before)
    refused = enroll(central, make_token(central, name="web-1"))
    assert (refused.status_code, refused.json()["code"]) == (409, "exists")
    assert works(central, before, 2)
    made = enroll(central, make_token(central, name="web-1", replaces=True)).json()
    assert works(central, made["api_key"], 3)
    eventually(lambda: not works(central, before, 4), within=1)


def test_a_node_keeps_its_region(central: RunningCentral) -> None:
    central.create_node("web-1", "us-ashburn-1")
    token = make_token(central, name="web-1")
    assert enroll(central, token).json()["code"] == "out_of_scope"
    assert enroll(central, token, region=None).json()["region"] == "us-ashburn-1"


# tokens ------------------------------------------------------------------------------------------


WRONG: dict[str, dict[str, Any]] = {
    "no scope": {},
    "a week and more": {"name": "a", "expires_seconds": 7 * 86_400 + 1},
    "a pattern that replaces": {"name": "web-*", "replaces": True},
    "a region that replaces": {"region": FRANKFURT, "replaces": True},
    "a name that is none": {"name": "web 1"},
}


@pytest.mark.parametrize("scope", WRONG.values(), ids=WRONG.keys())
def test_a_token_that_makes_no_sense_is_not_made(
    central: RunningCentral, scope: dict[str, Any]
) -> None:
    answer = central.operator().post("/v1/enroll-tokens", json=scope)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_tokens_are_listed_with_what_became_of_them_and_without_their_text(
    central: RunningCentral,
) -> None:
    tokens = [make_token(central, name=f"n{number}") for number in range(4)]
    central.execute("UPDATE enrolment_tokens SET used_at = now() WHERE id = 2")
    central.execute("UPDATE enrolment_tokens SET expires_at = '2020-01-01' WHERE id = 3")
    central.operator().delete("/v1/enroll-tokens/4")
    answer = central.operator().get("/v1/enroll-tokens")
    assert [view["state"] for view in answer.json()] == ["revoked", "expired", "used", "open"]
    assert not any(token in answer.text for token in tokens)
    assert answer.json()[0]["created_by"] == "devops@example.com"


def test_tokens_are_forgotten_in_time(central: RunningCentral) -> None:
    for number in range(2):
        make_token(central, name=f"n{number}")
    central.execute("UPDATE enrolment_tokens SET expires_at = '2020-01-01' WHERE id = 1")
    with central.whole.engine.begin() as connection:
        enrolment.forget_old(connection)
    assert [row["id"] for row in central.rows("SELECT id FROM enrolment_tokens")] == [2]


def test_a_deleted_node_leaves_its_token_used(central: RunningCentral) -> None:
    token = make_token(central, name="web-1")
    enroll(central, token)
    assert central.operator().delete("/v1/nodes/web-1?confirm=web-1").status_code == 200
    assert enroll(central, token).json()["code"] == "token_used"


# the gate ----------------------------------------------------------------------------------------


def test_an_address_that_asks_too_often_is_turned_away_and_others_are_not() -> None:
    clock = [0.0]
    gate = EnrolmentGate(lambda: clock[0])
    for _ in range(int(ADDRESS_BURST)):
        gate.enter("10.0.0.1")
    with pytest.raises(ApiError) as refused:
        gate.enter("10.0.0.1")
    assert (refused.value.status, refused.value.retry_after) == (429, 5)
    gate.enter("10.0.0.2")
    clock[0] += 1
    gate.enter("10.0.0.1")


def test_too_many_altogether_are_asked_to_come_back() -> None:
    gate = EnrolmentGate(lambda: 0.0)
    for number in range(int(TOTAL_BURST)):
        gate.enter(f"10.0.0.{number}")
    with pytest.raises(ApiError) as refused:
        gate.enter("10.0.1.1")
    assert refused.value.status == 503


def test_a_stranger_may_not_send_much(central: RunningCentral) -> None:
    answer = enroll(central, new_enrolment_token().text, name="n" * 5000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_guesses_are_turned_away_before_they_reach_the_database(central: RunningCentral) -> None:
    for _ in range(int(ADDRESS_BURST)):
        enroll(central, "pk_enroll_guess")
    answer = enroll(central, new_enrolment_token().text)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert central.rows("SELECT 1 FROM audit_logs") == []
