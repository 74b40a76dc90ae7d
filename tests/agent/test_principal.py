"""Instance principals: tokens that are renewed ahead of time and never hold up a request."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.oci_auth import OciAuth
from agent.principal import AuthUnavailableError, Principal, Token
from agent.settings import read_settings
from tests.agent.rig import NOON, Decisions, Rig, config_yaml, pool_yaml, until, wall_now


def token(name: str, life: timedelta = timedelta(minutes=20)) -> Token:
    return Token(lambda request: f"{request} by {name}", NOON, NOON + life)


class Issuer:
    """Gives tokens one after another, raises what it is told, or keeps everybody waiting."""

    def __init__(self, *answers: Token | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> Token:
        self.asked += 1
        assert self.open.wait(10)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def principal(issuer: Issuer, *, age: timedelta = timedelta(0)) -> Principal:
    ticks = iter([0.0, 0.0])
    return Principal(issuer, lambda: NOON + age, lambda: next(ticks, 11.0))


def test_a_request_signs_with_the_token_at_hand() -> None:
    signer = principal(Issuer(token("first")))
    assert [signer("a"), signer("b")] == ["a by first", "b by first"]


def test_fault_44_a_metadata_service_that_hangs_holds_up_no_request_but_the_first() -> None:
    issuer = Issuer(token("late"))
    issuer.open.clear()
    asked = iter([0.0, 10.5, 11.0, 12.0])
    signer = Principal(issuer, lambda: NOON, lambda: next(asked, 20.0))
    for _ in range(3):
        with pytest.raises(AuthUnavailableError, match="no token yet"):
            signer("a")
    issuer.open.set()
    until(lambda: signer._token is not None)
    assert signer("a") == "a by late"
    assert issuer.asked == 1


def test_fault_44_an_expired_token_fails_at_once_and_is_renewed_behind_the_scenes() -> None:
    issuer = Issuer(token("old", timedelta(minutes=1)), token("new", timedelta(hours=3)))
    signer = principal(issuer, age=timedelta(minutes=2))
    with pytest.raises(AuthUnavailableError, match="expired"):
        signer("a")
    assert until(lambda: issuer.asked == 2)
    until(lambda: signer._token and signer._token.expires_at > NOON + timedelta(hours=1))
    assert signer("a") == "a by new"


def test_a_refused_token_is_renewed_but_not_again_and_again() -> None:
    issuer = Issuer(token("first"), token("second"))
    now = [NOON]
    signer = Principal(issuer, lambda: now[0], lambda: 0.0)
    assert signer("a") == "a by first"
    signer.refused()
    assert not signer._wanted.is_set(), "it was fresh a moment ago"
    now[0] += timedelta(minutes=1)
    signer.refused()
    until(lambda: issuer.asked == 2)


def test_one_address_for_all_of_oci_serves_the_token_exchange_too() -> None:
    given = {"POOLKEEPER_STATE_DIR": "/x", "POOLKEEPER_OCI_ENDPOINT": "http://127.0.0.1:9/"}
    assert read_settings(given).oci_auth.federation_endpoint == "http://127.0.0.1:9/v1/x509"
    regional = {**given, "POOLKEEPER_OCI_ENDPOINT": "http://127.0.0.1:9/regions/{region}"}
    assert read_settings(regional).oci_auth.federation_endpoint is None


def instance_principal(rig: Rig) -> OciAuth:
    url = f"{rig.server.url}/v1/x509"
    return replace(rig.settings.oci_auth, kind="instance_principal", federation_endpoint=url)


def test_an_agent_on_an_instance_scales_with_its_principal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_METADATA_BASE_URL", f"{rig.server.url}/opc/v2")
    rig.add_pool("web", size=2, demand=190)
    agent = rig.agent(config_yaml(pool_yaml("web")), oci_auth=instance_principal(rig))
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    users = {e.user for e in rig.world.requests.entries if e.operation == "UpdateInstancePool"}
    assert all(str(user).startswith("ocid1.instance.") for user in users)


def test_fault_44_a_token_that_oci_no_longer_takes_is_renewed_and_scaling_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_METADATA_BASE_URL", f"{rig.server.url}/opc/v2")
    monkeypatch.setattr("agent.principal._LEAST_BETWEEN", timedelta(0))
    rig.add_pool("web", size=2, demand=90)
    agent = rig.agent(config_yaml(pool_yaml("web")), oci_auth=instance_principal(rig))
    rig.run(agent, minutes=2)
    sessions: dict[str, Any] = rig.world.keys._sessions
    for name, (owner, key, _) in list(sessions.items()):
        sessions[name] = (owner, key, wall_now() - timedelta(minutes=1))
    rig.run(agent, minutes=0.5)
    assert "401 NotAuthenticated" in str(agent.trouble())
    assert "opc-request-id" in str(agent.trouble())
    until(lambda: rig.requests().get("GetInstancePrincipalToken", 0) >= 2)
    rig.demand("web", 190)

    def is_well() -> bool:
        rig.run(agent, minutes=0.5)
        return agent.trouble() is None

    until(is_well)
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4


def test_fault_44_without_a_metadata_service_nothing_crashes_and_the_reason_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCI_METADATA_BASE_URL", "http://127.0.0.1:9/opc/v2")
    rig.add_pool("web", size=2, demand=190)
    seen = Decisions(rig.world)
    agent = rig.agent(
        config_yaml(pool_yaml("web")), on_decision=seen, oci_auth=instance_principal(rig)
    )
    agent.ticker._parts.pools._client._means.credentials._principal._first_asked = -100.0  # type: ignore[attr-defined] # its ten seconds are over
    rig.run(agent, minutes=1)
    assert seen.codes("web")[-1] == "pool_forbidden"
    assert "no OCI credentials" in str(agent.trouble())
