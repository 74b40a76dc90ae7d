"""`poolkeeper user` and `poolkeeper audit` against a real central."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from central.store import sessions, users
from central.tokens import new_session_token
from poolkeeper.cli import cli
from tests import postgres
from tests.central_server import RunningCentral, running_central

NEW = "a fresh start 99"


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningCentral]:
    with postgres.cluster() as cluster, running_central(cluster.new_database()) as running:
        yield running


@pytest.fixture
def central(shared: RunningCentral) -> RunningCentral:
    shared.execute("DELETE FROM users")
    shared.execute("UPDATE audit_policy SET retention_days = NULL")
    shared.forget_operators()
    return shared


class Shell:
    """Runs `poolkeeper …` as an ADMIN."""

    def __init__(self, central: RunningCentral, home: Path) -> None:
        secret = new_session_token()
        with central.whole.engine.begin() as connection:
            user_id = users.create(connection, "root@x.y", "ADMIN", "Root", "none")
            sessions.start(connection, user_id, sessions.Opening(secret.digest))
        self.environment = {
            "POOLKEEPER_CONFIG_DIR": str(home),
            "POOLKEEPER_CENTRAL_URL": central.url,
            "POOLKEEPER_TOKEN": secret.text,
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

    def __call__(self, *words: str, text: str | None = None) -> Result:
        return CliRunner(env=self.environment).invoke(cli, list(words), input=text)

    def ok(self, *words: str, text: str | None = None) -> str:
        done = self(*words, text=text)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture
def shell(central: RunningCentral, tmp_path: Path) -> Shell:
    return Shell(central, tmp_path)


def make(shell: Shell, email: str = "mia@x.y", role: str = "USER") -> None:
    words = ("user", "create", email, "--role", role, "--password-stdin")
    assert shell.ok(*words, text=NEW + "\n") == f"Created {email} with the role {role}.\n"


def test_an_account_from_its_beginning_to_its_end(shell: Shell) -> None:
    make(shell)
    assert "mia@x.y has the role DEVOPS now." in shell.ok("user", "set-role", "mia@x.y", "DEVOPS")
    assert "deactivated" in shell.ok("user", "deactivate", "mia@x.y")
    assert "active" in shell.ok("user", "activate", "mia@x.y")
    assert "new password" in shell.ok(
        "user", "reset-password", "mia@x.y", "--password-stdin", text="other than before\n"
    )
    listed = json.loads(shell.ok("user", "list", "--json"))
    assert [(one["email"], one["role"]) for one in listed] == [
        ("mia@x.y", "DEVOPS"),
        ("root@x.y", "ADMIN"),
    ]
    shell.ok("user", "delete", "mia@x.y")
    assert "mia@x.y" not in shell.ok("user", "list")


def test_an_override_is_shown_with_its_owner(shell: Shell) -> None:
    make(shell)
    words = ("user", "set-role", "mia@x.y", "DEVOPS", "--override", "--reason", "on call")
    assert json.loads(shell.ok(*words, "--json"))["override_reason"] == "on call"
    assert "admin (override)" in shell.ok("user", "list")
    cleared = json.loads(shell.ok(*words[:4], "--no-override", "--json"))
    assert (cleared["role_override"], cleared["override_reason"]) == (False, None)


def test_what_central_refuses_is_one_sentence(shell: Shell) -> None:
    for words, code, sentence in (
        (("user", "set-role", "none@x.y", "USER"), 1, "There is no user 'none@x.y'."),
        (("user", "deactivate", "root@x.y"), 2, "Nobody changes their own role or standing."),
        (("user", "link", "root@x.y", "s"), 1, "Keycloak is not set up here."),
        (("user", "revoke"), 2, "Name an account"),
        (("audit", "list", "--from", "yesterday"), 2, "is no time"),
        (("audit", "retention", "soon"), 2, "a number of days"),
        (("audit", "retention", "30"), 1, "days"),
    ):
        done = shell(*words)
        assert (done.exit_code, sentence in done.stderr) == (code, True), (words, done.output)


def test_sessions_are_listed_and_revoked(shell: Shell, central: RunningCentral) -> None:
    own = json.loads(shell.ok("user", "sessions", "--json"))
    assert [one["current"] for one in own] == [True]
    assert "this one" in shell.ok("user", "sessions")
    client = central.operator("USER")
    assert client.get("/v1/whoami").status_code == 200
    assert "bearer" in shell.ok("user", "sessions", "user@example.com")
    shell.ok("user", "revoke", "user@example.com")
    assert client.get("/v1/whoami").status_code == 401
    shell.ok("user", "revoke", "--session", str(own[0]["id"]))
    assert shell("user", "list").exit_code == 2


def test_the_audit_tells_who_did_what(shell: Shell) -> None:
    make(shell, "ada@x.y")
    rows = json.loads(shell.ok("audit", "list", "--category", "USER", "--limit", "1", "--json"))
    assert (rows[0]["action"], rows[0]["user_email"]) == ("USER_CREATED", "root@x.y")
    table = shell.ok("audit", "list", "--resource", "ada@x.y", "--from", "2020-01-01")
    assert "USER_CREATED" in table
    assert shell.ok("audit", "list", "--to", "2020-01-01", "--json") == "[]\n"


def test_an_export_goes_to_a_file(shell: Shell, tmp_path: Path) -> None:
    make(shell, "eve@x.y")
    target = tmp_path / "audit.csv"
    shell.ok("audit", "export", "--output", str(target), "--user", "root@x.y")
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8"))))
    assert {row["user_email"] for row in rows} == {"root@x.y"}
    lines = shell.ok("audit", "export", "--format", "json").splitlines()
    assert json.loads(lines[0])["action"] == "AUDIT_EXPORTED"


def test_verification_exits_1_and_names_the_row(shell: Shell, central: RunningCentral) -> None:
    make(shell, "ivy@x.y")
    assert "are as they were written" in shell.ok("audit", "verify")
    (row,) = central.rows("SELECT max(id) AS id FROM audit_logs")
    change = (
        "ALTER TABLE audit_logs DISABLE TRIGGER USER; "
        f"UPDATE audit_logs SET action = '%s' WHERE id = {row['id']}; "
        "ALTER TABLE audit_logs ENABLE TRIGGER USER"
    )
    central.execute(change % "SOMETHING_ELSE")
    done = shell("audit", "verify")
    asked = json.loads(shell("audit", "verify", "--json").stdout)
    central.execute(change % "USER_CREATED")
    assert done.exit_code == 1
    assert f"row {row['id']}: the row, or its hash, was changed" in done.stdout
    assert asked["ok"] is False


def test_retention_is_shown_and_set(shell: Shell) -> None:
    assert shell.ok("audit", "retention") == "Audit rows are kept for good.\n"
    assert "400 days" in shell.ok("audit", "retention", "400")
    assert json.loads(shell.ok("audit", "retention", "forever", "--json")) == {"days": None}


def test_ones_own_password_is_changed_with_the_old_one(
    shell: Shell, central: RunningCentral
) -> None:
    make(shell, "own@x.y")
    body = {"email": "own@x.y", "password": NEW}
    with central.client() as client:
        token = client.post("/v1/login", json=body).json()["token"]
    shell.environment |= {
        "POOLKEEPER_TOKEN": token,
        "POOLKEEPER_PASSWORD": NEW,
        "POOLKEEPER_NEW_PASSWORD": "even fresher 100",
    }
    assert "Changed" in shell.ok("user", "password")
    assert shell("whoami").exit_code == 2
