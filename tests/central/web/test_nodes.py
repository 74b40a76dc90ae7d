"""The pages of all nodes and of one."""

import html
import re

import pytest

from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG
from tests.pages import Reader, shown


def refuse(central: RunningCentral, why: str) -> None:
    central.execute(
        "UPDATE node_state SET failed_hash = active_hash, apply_status = 'failed', "
        "apply_error = :why WHERE active_hash IS NOT NULL",
        why=why,
    )


def test_nodes_are_listed_by_name_a_page_at_a_time(central: RunningCentral, user: Reader) -> None:
    central.execute(
        "INSERT INTO nodes (name, region) SELECT 'n' || to_char(i, 'FM0000'), 'r1' "
        "FROM generate_series(1, 250) AS i"
    )
    pages = list(user.pages("/nodes"))
    seen = re.findall(r'href="/nodes/(n\d{4})"', "".join(pages))
    assert (seen, len(pages)) == ([f"n{i:04}" for i in range(1, 251)], 3)
    assert "First page" not in shown(user.open("/nodes"))
    only = user.open("/nodes?search=N0013").text
    assert re.findall(r'href="/nodes/(n\d{4})"', only) == ["n0013"]
    assert "No node matches." in shown(user.open("/nodes?search=nowhere"))


def test_a_made_node_s_key_is_shown_once_kept_by_nobody_and_works(
    central: RunningCentral, devops: Reader
) -> None:
    answer = devops.send("/nodes", name="n1", region="eu-frankfurt-1", description="a VM")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    (key,) = re.findall(r'<code id="key">([^<]+)</code>', answer.text)
    with central.client(key) as agent:
        assert agent.post("/v1/heartbeat", json={}).status_code == 422  # known, but no heartbeat
    for path in ("/nodes", "/nodes/n1", "/lifecycle"):
        assert key not in devops.open(path).text
    assert "a VM" in shown(devops.open("/nodes"))


def test_an_enrolment_token_is_shown_once_in_the_install_command_and_works(
    central: RunningCentral, devops: Reader
) -> None:
    wish = {"token_name": "web-1", "token_region": "eu-frankfurt-1", "expires_seconds": "3600"}
    answer = devops.send("/nodes/enroll-tokens", **wish)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    (block,) = re.findall(r'<code id="command">(.*?)</code>', answer.text, flags=re.DOTALL)
    first, second, token, end = html.unescape(block).splitlines()
    assert first.startswith("sudo env PYTHONPATH=./poolkeeper-")
    assert first.endswith("python3.11 -m agent.install \\")
    assert second.split() == [
        *("--central-url", central.url, "--enroll-token-file", "-"),
        *("--node-name", "web-1", "<<'TOKEN'"),
    ]
    assert end == "TOKEN"
    with central.client(token) as machine:
        body = {"name": "web-1", "region": "eu-frankfurt-1", "nonce": "a" * 32}
        assert machine.post("/v1/enroll", json=body).status_code == 201
    page = devops.open("/nodes")
    assert token not in page.text
    assert "For web-1" not in shown(page)
    assert "web-1 web-1 eu-frankfurt-1 used" in shown(page)


def test_a_token_for_several_names_leaves_the_name_open(devops: Reader) -> None:
    wish = {"token_name": "web-*", "token_region": "r1", "expires_seconds": "3600"}
    text = shown(devops.send("/nodes/enroll-tokens", **wish))
    assert "--node-name NAME" in text
    assert "( web-* )" in text


def test_an_open_token_is_revoked(central: RunningCentral, devops: Reader, user: Reader) -> None:
    devops.send("/nodes/enroll-tokens", token_region="r1", expires_seconds="60")
    page = devops.open("/nodes").text
    (address,) = re.findall(r'action="(/nodes/enroll-tokens/\d+/revoke)"', page)
    assert user.send(address).status_code == 403
    assert "Tokens" not in shown(user.open("/nodes"))
    text = devops.done(address)
    assert "The enrolment token was revoked." in text
    assert "any name r1 revoked" in text
    assert central.rows("SELECT revoked_at IS NULL AS open FROM enrolment_tokens") == [
        {"open": False}
    ]


BAD_TOKENS = [
    ({"token_name": "n1", "token_region": ""}, "Region: say"),
    ({"token_name": "<b>", "token_region": "r1"}, "name: "),
    ({"token_name": "n*", "token_region": "r1", "replaces": "yes"}, "without * or ?"),
    ({"token_name": "n1", "token_region": "r1", "expires_seconds": "59"}, "expires seconds: "),
]


@pytest.mark.parametrize(("fields", "why"), BAD_TOKENS)
def test_a_refused_token_keeps_what_was_typed(
    central: RunningCentral, devops: Reader, fields: dict[str, str], why: str
) -> None:
    answer = devops.send("/nodes/enroll-tokens", **{"expires_seconds": "3600", **fields})
    assert (answer.status_code, why in shown(answer)) == (422, True), shown(answer)
    assert f'value="{html.escape(fields["token_name"])}"' in answer.text
    assert central.rows("SELECT id FROM enrolment_tokens") == []


def test_the_agent_is_asked_to_renew_its_key(central: RunningCentral, devops: Reader) -> None:
    central.create_node("n1")
    refused = devops.send("/nodes/n1/renew-key")
    assert (refused.status_code, "upgrade it" in shown(refused)) == (409, True)
    central.execute("UPDATE node_state SET capabilities = '{next_api_key}'")
    text = devops.done("/nodes/n1/renew-key")
    assert "The agent is to renew its key since" in text


def test_two_agents_on_one_key_are_told(central: RunningCentral, user: Reader) -> None:
    central.create_node("n1")
    central.execute("UPDATE node_state SET rival_heard_at = now(), duplicate_since = now()")
    assert "Two live agents use this node's key" in shown(user.open("/nodes/n1"))


BAD_NODES = [
    ({"name": "n1", "region": "r1"}, 409, "There is already a node 'n1'."),
    ({"name": "<b>", "region": "r1"}, 422, "name: "),
    ({"name": "n2", "region": "Frankfurt!"}, 422, "region: "),
    ({"name": "n2", "region": "r1", "description": "x" * 2001}, 422, "description: "),
]


@pytest.mark.parametrize(("fields", "status", "why"), BAD_NODES)
def test_a_refused_node_keeps_what_was_typed(
    central: RunningCentral, devops: Reader, fields: dict[str, str], status: int, why: str
) -> None:
    central.create_node("n1")
    answer = devops.send("/nodes", **fields)
    assert answer.status_code == status
    assert why in shown(answer)
    assert f'value="{fields["name"].replace("<", "&lt;").replace(">", "&gt;")}"' in answer.text


def test_one_node_is_shown_with_everything_that_is_known(
    central: RunningCentral, user: Reader
) -> None:
    central.create_node("n1")
    pushed = central.push("n1", CONFIG)
    refuse(central, "line 3: <script>alert(1)</script>")
    page = user.open("/nodes/n1")
    text = shown(page)
    for words in (
        "INACTIVE",
        "rejected",
        "The node refused the configuration: line 3: <script>alert(1)</script>",
        pushed.config_hash,
        "generation 1",
        "Apply status failed",
        "heartbeat never",
        "web",
    ):
        assert words in text, words
    assert "<script>alert" not in page.text
    assert "Actions" not in text  # a USER only looks


def test_the_live_part_shows_pools_and_the_last_events(
    central: RunningCentral, user: Reader
) -> None:
    central.create_node("n1")
    central.push("n1", CONFIG)
    central.execute(
        "INSERT INTO node_lifecycle_logs (node_id, event_type, new_status, reason) "
        "SELECT id, 'WENT_OFFLINE', 'OFFLINE', 'silent for ' || repeat('9', 10000) FROM nodes"
    )
    fragment = user.get("/nodes/n1/live", **{"HX-Request": "true", "X-Poll": "1"})
    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert "went offline silent for 999" in shown(fragment)
    assert len(fragment.text) < 10_000  # the whole of it is in the lifecycle
    gone = user.get("/nodes/none/live", **{"HX-Request": "true", "X-Poll": "1"})
    assert (gone.status_code, shown(gone)) == (404, "There is no node 'none'.")


def test_maintenance_begins_and_ends_with_a_reason(central: RunningCentral, devops: Reader) -> None:
    central.create_node("n1")
    text = devops.done("/nodes/n1/maintenance", on="yes", reason="new disks")
    assert "Maintenance began" in text
    assert "new disks" in text
    assert "End maintenance" in text
    text = devops.done("/nodes/n1/maintenance", on="no", reason="")
    assert "Maintenance ended" in text
    assert "Begin maintenance" in text
    too_long = devops.send("/nodes/n1/maintenance", on="yes", reason="x" * 1001)
    assert (too_long.status_code, "at most 1000" in shown(too_long)) == (422, True)


def test_a_new_key_is_shown_once_and_the_one_before_works_for_the_overlap(
    central: RunningCentral, devops: Reader
) -> None:
    old = central.create_node("n1")
    answer = devops.send("/nodes/n1/rotate-key", overlap_seconds="3600")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "works until" in shown(answer)
    (key,) = re.findall(r'<code id="key">([^<]+)</code>', answer.text)
    assert key != old
    text = shown(devops.open("/nodes/n1"))
    assert "works until" in text
    assert key not in text
    assert "revoked" in devops.done("/nodes/n1/revoke-keys", which="previous")
    for one, status in ((key, 422), (old, 401)):
        with central.client(one) as agent:
            assert agent.post("/v1/heartbeat", json={}).status_code == status


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("rotate-key", {"overlap_seconds": "-1"}),
        ("rotate-key", {"overlap_seconds": "2592001"}),
        ("rotate-key", {"overlap_seconds": "a while"}),
        ("revoke-keys", {"which": "some"}),
    ],
)
def test_an_impossible_wish_about_keys_is_refused(
    central: RunningCentral, devops: Reader, path: str, fields: dict[str, str]
) -> None:
    central.create_node("n1")
    assert devops.send(f"/nodes/n1/{path}", **fields).status_code == 422


def test_a_refused_configuration_is_offered_again(central: RunningCentral, devops: Reader) -> None:
    central.create_node("n1")
    central.push("n1", CONFIG)
    assert "Offer the refused" not in shown(devops.open("/nodes/n1"))
    refuse(central, "no")
    assert "Offer the refused" in shown(devops.open("/nodes/n1"))
    assert "offered to the node again" in devops.done("/nodes/n1/retry")
    assert central.rows("SELECT retry_offers > 0 AS again FROM node_state") == [{"again": True}]


def test_a_node_is_deleted_only_when_its_name_is_typed(
    central: RunningCentral, devops: Reader
) -> None:
    central.create_node("n1")
    central.push("n1", CONFIG)
    central.execute(
        "INSERT INTO metrics (node_id, metric_type, value, unit) "
        "SELECT id, 'node_cpu', 1, 'percent' FROM nodes, generate_series(1, 1234)"
    )
    question = shown(devops.open("/nodes/n1/delete"))
    assert "1 pool: web ;" in question
    assert "1,234 rows of history" in question
    wrong = devops.send("/nodes/n1/delete", confirm="n2")
    assert (wrong.status_code, "confirm with its name" in shown(wrong)) == (422, True)
    assert "It was deleted." in devops.done("/nodes/n1/delete", confirm="n1")
    assert central.rows("SELECT count(*) AS n FROM metrics") == [{"n": 0}]
    assert devops.get("/nodes/n1").status_code == 404


@pytest.mark.parametrize("path", ["maintenance", "rotate-key", "revoke-keys", "retry", "delete"])
def test_a_user_may_look_but_not_act(central: RunningCentral, user: Reader, path: str) -> None:
    central.create_node("n1")
    answer = user.send(f"/nodes/n1/{path}", confirm="n1", which="all", on="yes")
    assert (answer.status_code, "The role DEVOPS is needed" in shown(answer)) == (403, True)


def test_a_form_without_its_token_is_refused(central: RunningCentral, devops: Reader) -> None:
    central.create_node("n1")
    devops._csrf = "forged"
    assert devops.send("/nodes/n1/delete", confirm="n1").status_code == 403
    assert central.rows("SELECT name FROM nodes") == [{"name": "n1"}]
