"""What central reads about people from its environment, and the first ADMIN that it makes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from starlette.types import Message

from central.commands_people import people_settings
from central.database import open_engine
from central.errors import ApiError, StartError
from central.first_admin import ensure_first_admin
from central.oidc import roles
from central.web_headers import HSTS, WebHeaders
from tests import postgres

PUBLIC = {"POOLKEEPER_PUBLIC_URL": "https://pools.example.com"}
OIDC = {
    **PUBLIC,
    "POOLKEEPER_OIDC_ISSUER": "https://kc.example.com/realms/a",
    "POOLKEEPER_OIDC_CLIENT_ID": "poolkeeper",
    "POOLKEEPER_OIDC_CLIENT_SECRET": "s3cret",
    "POOLKEEPER_OIDC_ROLES": "realm:staff=USER, client:poolkeeper/ops=DEVOPS",
}


def test_without_an_issuer_there_is_no_keycloak() -> None:
    found = people_settings({})
    assert (found.oidc, found.public_url, found.first_admin) == (None, None, None)


def test_a_whole_set_of_settings() -> None:
    oidc = people_settings(OIDC).oidc
    assert oidc is not None
    assert oidc.settings.redirect_uri == "https://pools.example.com/v1/oidc/callback"
    assert oidc.settings.roles.default is None
    assert "s3cret" not in repr(oidc.settings)
    oidc._http.close()


MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    "no secret": ({"POOLKEEPER_OIDC_CLIENT_SECRET": ""}, "POOLKEEPER_OIDC_CLIENT_SECRET"),
    "no public address": ({"POOLKEEPER_PUBLIC_URL": ""}, "POOLKEEPER_PUBLIC_URL"),
    "a public address in the clear": (
        {"POOLKEEPER_PUBLIC_URL": "http://pools.example.com"},
        "use https://",
    ),
    "a public address with a path": ({"POOLKEEPER_PUBLIC_URL": "https://x.y/z"}, "no path"),
    "an issuer in the clear": ({"POOLKEEPER_OIDC_ISSUER": "http://kc.example.com"}, "use https://"),
    "no roles": ({"POOLKEEPER_OIDC_ROLES": ""}, "nobody could log in"),
    "a role that is none of ours": ({"POOLKEEPER_OIDC_ROLES": "realm:a=ROOT"}, "'ROOT' is no role"),
    "a rule without a source": ({"POOLKEEPER_OIDC_ROLES": "admin=ADMIN"}, "is no rule"),
    "an unknown default": ({"POOLKEEPER_OIDC_DEFAULT_ROLE": "user"}, "'user' is no role"),
    "a file that is not there": (
        {"POOLKEEPER_OIDC_CLIENT_SECRET_FILE": "/nowhere/at/all"},
        "cannot be read",
    ),
    "an admin without a password": (
        {"POOLKEEPER_FIRST_ADMIN_EMAIL": "a@x.y"},
        "POOLKEEPER_FIRST_ADMIN_PASSWORD_FILE",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_sentence(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(StartError, match=sentence) as refusal:
        people_settings({**OIDC, **changes})
    assert "s3cret" not in str(refusal.value)


def test_secrets_come_from_credentials_and_files(tmp_path: Path) -> None:
    (tmp_path / "oidc-client-secret").write_text("from the credential\n")
    (tmp_path / "password").write_text("correct horse battery\n")
    environment = {
        **OIDC,
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "POOLKEEPER_FIRST_ADMIN_EMAIL": "a@x.y",
        "POOLKEEPER_FIRST_ADMIN_PASSWORD_FILE": str(tmp_path / "password"),
    }
    found = people_settings(environment)
    assert found.oidc is not None
    assert found.oidc.settings.client_secret == "from the credential"
    assert found.first_admin == ("a@x.y", "correct horse battery")
    found.oidc._http.close()


def test_a_default_role_lets_everybody_in() -> None:
    mapping = roles.parse("", "USER")
    assert mapping.role_of({}) == "USER"
    with_rules = roles.parse("realm:boss=ADMIN", "USER")
    assert with_rules.role_of({"realm_access": {"roles": []}}) == "USER"


# the first ADMIN ---------------------------------------------------------------------------------


@pytest.fixture
def engine(cluster: postgres.Cluster) -> Iterator[Engine]:
    engine = open_engine(cluster.new_database())
    yield engine
    engine.dispose()


def accounts(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT email, role::text FROM users ORDER BY id"))
        return [tuple(row) for row in rows]


def test_the_first_admin_is_made_once(engine: Engine) -> None:
    assert ensure_first_admin(engine, " A@X.y", "correct horse battery")
    assert not ensure_first_admin(engine, "b@x.y", "correct horse battery")
    assert accounts(engine) == [("a@x.y", "ADMIN")]
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT action, user_email FROM audit_logs")).all()
    assert [tuple(row) for row in rows] == [("USER_CREATED", "central")]


def test_a_weak_first_password_is_refused(engine: Engine) -> None:
    with pytest.raises(ApiError, match="at least 12"):
        ensure_first_admin(engine, "a@x.y", "short")
    assert accounts(engine) == []


# headers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behind_tls", "scheme", "insists"),
    [(True, "http", True), (False, "https", True), (False, "http", False)],
)
def test_browsers_shall_insist_on_tls_where_there_is_tls(
    behind_tls: bool, scheme: str, insists: bool
) -> None:
    sent: list[Message] = []

    async def _app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _receive() -> Message:
        return {"type": "http.request"}

    async def _send(message: Message) -> None:
        sent.append(message)

    guarded = WebHeaders(_app, behind_tls=behind_tls)
    asyncio.run(guarded({"type": "http", "scheme": scheme}, _receive, _send))
    headers = dict(sent[0]["headers"])
    found = headers.get(b"strict-transport-security")
    assert (found == HSTS.encode()) == insists
