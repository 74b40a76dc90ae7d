"""Signing in and out with a browser that runs no script."""

import httpx
import pytest

from central.credentials import COOKIE
from central.passwords import hash_password
from central.store import users
from tests.central_server import RunningCentral
from tests.pages import Reader, shown

EMAIL, PASSWORD = "eva@example.com", "correct horse battery"


@pytest.fixture
def eva(central: RunningCentral) -> None:
    with central.whole.engine.begin() as connection:
        users.create(connection, EMAIL, "DEVOPS", "Eva", hash_password(PASSWORD, cost=4))


def sign_in(central: RunningCentral, origin: str | None = None, **fields: str) -> httpx.Response:
    form = {"email": EMAIL, "password": PASSWORD, "next": "/", **fields}
    headers = {"Origin": origin or central.url, "Accept": "text/html"}
    with httpx.Client(base_url=central.url, headers=headers, verify=False) as http:
        return http.post("/sign-in", data=form)


def opened(central: RunningCentral, answer: httpx.Response, path: str) -> httpx.Response:
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "Accept": "text/html"}
    with httpx.Client(base_url=central.url, headers=headers, verify=False) as http:
        return http.get(path)


def test_the_right_password_leads_on(central: RunningCentral, eva: None) -> None:
    answer = sign_in(central, next="/lifecycle?node=n1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lifecycle?node=n1")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {
        part.strip() for part in answer.headers["Set-Cookie"].split(";")
    }
    assert "Eva" in shown(opened(central, answer, "/"))


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_it_never_leads_away(central: RunningCentral, eva: None, target: str) -> None:
    assert sign_in(central, next=target).headers["Location"] == "/"


REFUSED = {
    "a wrong password": ({"password": "wrong"}, 401, "The address or the password is wrong."),
    "an unknown account": ({"email": "x@y.z"}, 401, "The address or the password is wrong."),
    "nothing typed": ({"email": "", "password": ""}, 422, "Fill in your address"),
    "a password of a megabyte": ({"password": "x" * 1_000_000}, 422, "Fill in your address"),
}


@pytest.mark.parametrize(("fields", "status", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals_stand_on_the_form(
    central: RunningCentral, eva: None, fields: dict[str, str], status: int, says: str
) -> None:
    answer = sign_in(central, next="/nodes", **fields)
    assert answer.status_code == status
    assert says in shown(answer)
    assert 'name="next" value="/nodes"' in answer.text
    assert "Set-Cookie" not in answer.headers
    assert "x" * 2000 not in answer.text, "no password comes back"


def test_a_form_of_another_site_is_refused(central: RunningCentral, eva: None) -> None:
    answer = sign_in(central, origin="https://evil.example")
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_without_a_session_pages_lead_here_and_back(central: RunningCentral) -> None:
    with httpx.Client(base_url=central.url, headers={"Accept": "text/html"}, verify=False) as http:
        answer = http.get("/nodes?search=a&after=b")
        fragment = http.get("/fleet/rows", headers={"HX-Request": "true"})
        changed = http.post("/nodes", data={"name": "n1", "region": "r"})
    expected = "/sign-in?next=%2Fnodes%3Fsearch%3Da%26after%3Db"
    assert (answer.status_code, answer.headers["Location"]) == (303, expected)
    assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (204, "/sign-in")
    assert (changed.status_code, changed.headers["Location"]) == (303, "/sign-in")
    assert central.rows("SELECT 1 FROM nodes") == []


def test_signing_out_ends_the_session(central: RunningCentral, user: Reader) -> None:
    assert "You are signed out here" in user.done("/sign-out")
    assert user.get("/").headers["Location"] == "/sign-in"


FORGED = {
    "without a token": ([], {}),
    "with another's token": ([("csrf_token", "0" * 64)], {}),
    "of another site": (None, {"Origin": "https://evil.example"}),
    "of a page that hides where it is": (None, {"Origin": "null"}),
}


@pytest.mark.parametrize(("fields", "headers"), FORGED.values(), ids=FORGED.keys())
def test_forged_forms_change_nothing(
    central: RunningCentral,
    devops: Reader,
    fields: list[tuple[str, str]] | None,
    headers: dict[str, str],
) -> None:
    wanted = [("name", "n1"), ("region", "eu-frankfurt-1")]
    own = [("csrf_token", devops._csrf)] if fields is None else fields
    answer = devops._http.post("/nodes", data=dict(own + wanted), headers=headers)
    assert answer.status_code == 403
    assert "did not come from a page of this site" in shown(answer)
    assert central.rows("SELECT 1 FROM nodes") == []


def test_a_cookie_of_another_name_is_no_session(central: RunningCentral) -> None:
    headers = {"Cookie": f"{COOKIE}x=abc; {COOKIE}=abc", "Accept": "text/html"}
    with httpx.Client(base_url=central.url, headers=headers, verify=False) as http:
        assert http.get("/").headers["Location"] == "/sign-in"
