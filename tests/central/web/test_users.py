"""The pages of accounts, and of one's own."""

import re

import pytest

from central.passwords import hash_password
from central.store import users
from tests.central_server import RunningCentral
from tests.pages import Reader, shown

PASSWORD = "correct horse battery"
MIA = "/users/mia@example.com"


@pytest.fixture
def mia(central: RunningCentral) -> RunningCentral:
    with central.whole.engine.begin() as connection:
        hashed = hash_password(PASSWORD, cost=4)
        users.create(connection, "mia@example.com", "USER", "Mia <b>M</b>", hashed)
    return central


def log_in(central: RunningCentral, password: str) -> int:
    with central.client() as client:
        body = {"email": "mia@example.com", "password": password}
        return client.post("/v1/login", json=body).status_code


def account(central: RunningCentral) -> dict[str, object]:
    columns = "full_name, role::text AS role, role_override, override_reason, is_active"
    (row,) = central.rows(f"SELECT {columns} FROM users WHERE email = 'mia@example.com'")
    return row


def test_every_account_is_listed_as_text(mia: RunningCentral, admin: Reader) -> None:
    page = admin.open("/users")
    assert "mia@example.com Mia <b>M</b> USER an ADMIN a password active" in shown(page)
    assert "<b>M" not in page.text


def test_an_account_is_made_and_may_sign_in(central: RunningCentral, admin: Reader) -> None:
    text = admin.done(
        "/users", email="Mia@Example.com", full_name="Mia", role="DEVOPS", password=PASSWORD
    )
    assert "The account was made." in text
    assert "mia@example.com" in text
    assert log_in(central, PASSWORD) == 200


BAD = [
    ({"email": "mia@example.com", "full_name": "X", "password": PASSWORD}, 409, "already a user"),
    ({"email": "nobody", "full_name": "X", "password": PASSWORD}, 422, "email: "),
    ({"email": "x@y.z", "full_name": "", "password": PASSWORD}, 422, "full name: "),
    ({"email": "x@y.z", "full_name": "X", "password": "short"}, 422, "at least"),
]


@pytest.mark.parametrize(("fields", "status", "why"), BAD)
def test_a_refused_account_keeps_what_was_typed_but_never_the_password(
    mia: RunningCentral, admin: Reader, fields: dict[str, str], status: int, why: str
) -> None:
    answer = admin.send("/users", role="ADMIN", **fields)
    assert (answer.status_code, why in shown(answer)) == (status, True)
    assert f'value="{fields["email"]}"' in answer.text
    assert "<option selected>ADMIN" in answer.text
    assert fields["password"] not in answer.text


def test_a_role_is_kept_against_keycloak_with_a_reason(mia: RunningCentral, admin: Reader) -> None:
    fields = {"full_name": "Mia", "role": "DEVOPS", "is_active": "yes"}
    text = admin.done(MIA, **fields, role_override="yes", override_reason="on call")
    assert "The account was changed." in text
    assert account(mia) == {
        "full_name": "Mia",
        "role": "DEVOPS",
        "role_override": True,
        "override_reason": "on call",
        "is_active": True,
    }
    admin.done(MIA, **fields)
    assert (account(mia)["role_override"], account(mia)["override_reason"]) == (False, None)


def test_what_another_admin_changed_meanwhile_stays(mia: RunningCentral, admin: Reader) -> None:
    opened = dict(
        re.findall(r'type="hidden" name="(was_\w+)" value="([^"]*)"', admin.open(MIA).text)
    )
    assert opened["was_role"] == "USER"
    mia.execute("UPDATE users SET role = 'DEVOPS', is_active = false WHERE email LIKE 'mia@%'")
    admin.done(MIA, full_name="Mia", role="USER", is_active="yes", **opened)
    now = account(mia)
    assert (now["full_name"], now["role"], now["is_active"]) == ("Mia", "DEVOPS", False)


def test_an_account_without_standing_cannot_sign_in(mia: RunningCentral, admin: Reader) -> None:
    admin.done(MIA, full_name="Mia", role="USER")
    assert log_in(mia, PASSWORD) == 401
    admin.done(MIA, full_name="Mia", role="USER", is_active="yes")
    assert log_in(mia, PASSWORD) == 200


def test_nobody_changes_the_own_role_but_the_own_name(
    central: RunningCentral, admin: Reader
) -> None:
    own = "/users/admin@pages.example"
    page = admin.open(own)
    assert "nobody changes their own role (ADMIN)" in shown(page)
    fields = {"role": "ADMIN", "is_active": "yes", "role_override": "no"}
    assert "Ada" in admin.done(own, full_name="Ada", **fields)
    refused = admin.send(own, full_name="Ada", role="USER", is_active="yes")
    assert (refused.status_code, "their own role" in shown(refused)) == (403, True)


def test_the_last_admin_who_can_sign_in_stays(mia: RunningCentral, admin: Reader) -> None:
    admin.done(MIA, full_name="Mia", role="ADMIN", is_active="yes")
    mia.execute("UPDATE users SET hashed_password = NULL WHERE email <> 'mia@example.com'")
    refused = admin.send(MIA, full_name="Mia", role="USER", is_active="yes")
    assert (refused.status_code, "last active ADMIN" in shown(refused)) == (409, True)
    assert account(mia)["role"] == "ADMIN"


def test_a_password_is_reset_and_the_sessions_end(mia: RunningCentral, admin: Reader) -> None:
    assert log_in(mia, PASSWORD) == 200
    assert "command line" in shown(admin.open(MIA))
    short = admin.send(MIA + "/password", new="short")
    assert (short.status_code, "at least" in shown(short)) == (422, True)
    text = admin.done(MIA + "/password", new="another password")
    assert "Sessions None." in text
    assert (log_in(mia, PASSWORD), log_in(mia, "another password")) == (401, 200)


def test_sessions_of_others_are_ended(mia: RunningCentral, admin: Reader) -> None:
    assert log_in(mia, PASSWORD) == 200
    assert "The sessions ended." in admin.done(MIA + "/sessions")
    live = "SELECT count(*) AS n FROM user_sessions s JOIN users u ON u.id = s.user_id "
    live += "WHERE u.email = 'mia@example.com' AND s.revoked_at IS NULL"
    assert mia.rows(live) == [{"n": 0}]


def test_without_keycloak_nobody_can_be_linked_to_it(mia: RunningCentral, admin: Reader) -> None:
    assert "Subject in Keycloak" not in shown(admin.open(MIA))
    refused = admin.send(MIA + "/link", subject="s1")
    assert (refused.status_code, "not set up here" in shown(refused)) == (409, True)


def test_an_account_is_deleted_when_its_address_is_typed(
    mia: RunningCentral, admin: Reader
) -> None:
    wrong = admin.send(MIA + "/delete", confirm="mia")
    assert (wrong.status_code, "type its address" in shown(wrong)) == (422, True)
    text = admin.done(MIA + "/delete", confirm="Mia@example.com")
    assert ("mia@" in text, "It was deleted." in text) == (False, True)


def test_a_user_reads_and_ends_the_own_sessions(central: RunningCentral, user: Reader) -> None:
    text = shown(user.open("/account"))
    assert "user@pages.example" in text
    assert "this one" in text
    (mine,) = re.findall(r'action="(/account/sessions/\d+/end)"', user.open("/account").text)
    central.operator("DEVOPS")
    (other,) = central.rows(
        "SELECT s.id FROM user_sessions s JOIN users u ON u.id = s.user_id WHERE role = 'DEVOPS'"
    )
    assert user.send(f"/account/sessions/{other['id']}/end").status_code == 404
    assert user.send(mine).status_code == 303
    assert user.get("/account").headers["Location"].startswith("/sign-in")


def own(central: RunningCentral) -> None:
    hashed = hash_password(PASSWORD, cost=4)
    central.execute("UPDATE users SET hashed_password = :hash", hash=hashed)


def test_one_s_own_password_is_changed_and_every_session_ends(
    central: RunningCentral, user: Reader
) -> None:
    own(central)
    new = {"new": "another password", "again": "another password"}
    answer = user.send("/account/password", current=PASSWORD, **new)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert user.get("/account").status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "again", "why"),
    [
        ("wrong password", "another password", "another password", "password"),
        (PASSWORD, "another password", "another pasword", "same way twice"),
        (PASSWORD, "short", "short", "at least"),
    ],
)
def test_a_refused_password_changes_nothing_and_is_not_repeated(
    central: RunningCentral, user: Reader, current: str, new: str, again: str, why: str
) -> None:
    own(central)
    answer = user.send("/account/password", current=current, new=new, again=again)
    assert 400 <= answer.status_code < 500
    assert why in shown(answer)
    assert new not in answer.text
    assert user.get("/account").status_code == 200


def test_who_signs_in_through_keycloak_has_no_password_here(
    central: RunningCentral, user: Reader
) -> None:
    central.execute("UPDATE users SET hashed_password = NULL")
    page = user.open("/account")
    assert "sign in through Keycloak and have no password" in shown(page)
    assert "/account/password" not in page.text
