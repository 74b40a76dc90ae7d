"""Central's API against its own OpenAPI: whatever is sent, no 5xx and no undocumented answer."""

import itertools
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from central.store import sessions, users
from central.tokens import new_session_token
from tests import postgres
from tests.central_server import RunningCentral, running_central
from tests.heartbeats import CONFIG, WEB, analytics, beat, lifecycle, metric

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SECONDS = 40.0
EXAMPLES = 25
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KNOWN: dict[str, Any] = {
    "name": "n1",
    "pool": WEB,
    "number": 1,
    "email": "mia@example.com",
    "node": "n1",
}
ELSEWHERE = ("/v1/oidc/",)  # with a provider behind it: tests/central/oidc


@pytest.fixture(scope="module")
def central() -> Iterator[RunningCentral]:
    """A central with a node, a configuration, some history, a rollout and an account."""
    with postgres.cluster() as cluster, running_central(cluster.new_database()) as store:
        key = store.create_node("n1")
        store.push("n1", CONFIG)
        with store.client(key) as agent:
            records = (analytics(1), metric(2), lifecycle(3))
            assert agent.post("/v1/heartbeat", json=beat(1, *records)).is_success
        edits = [{"kind": "limits", "pool": "web", "max": 30}]
        body = {"nodes": ["n1"], "edits": edits}
        assert store.operator().post("/v1/rollouts", json=body).is_success
        yield store


def fresh_admin(store: RunningCentral, numbers: Iterator[int]) -> str:
    """The token of a new account, since some requests end the one that makes them."""
    token, email = new_session_token(), f"admin{next(numbers)}@example.com"
    with store.whole.engine.begin() as connection:
        if users.by_email(connection, KNOWN["email"]) is None:
            users.create(connection, KNOWN["email"], "USER", "Mia", "no password")
        users.create(connection, email, "ADMIN", "Admin", "no password")
        user = users.by_email(connection, email)
        assert user is not None
        sessions.start(connection, user.id, sessions.Opening(token.digest))
    return token.text


def unwrapped(result: Any) -> Any:
    """An operation, or the reason why the OpenAPI cannot be read."""
    return result.ok()


def operations(store: RunningCentral) -> list[Any]:
    schema = schemathesis.openapi.from_dict(store.whole.app.openapi())
    schema.config.update(base_url=store.url)
    found: list[Any] = [unwrapped(result) for result in schema.get_all_operations()]
    return [
        one
        for one in found
        if one.path.startswith(("/v1/", "/healthz", "/readyz"))
        and not one.path.startswith(ELSEWHERE)
    ]


def test_whatever_is_sent_the_answer_is_a_documented_one(central: RunningCentral) -> None:
    """Every operation gets its share of the time; half of the paths lead somewhere."""
    numbers, chance = itertools.count(1), random.Random(7)
    every = operations(central)
    assert len(every) > 50
    until = time.monotonic() + SECONDS
    failures: list[str] = []
    for position, operation in enumerate(every):
        left = (until - time.monotonic()) / (len(every) - position)
        try:
            assert attack(central, operation, numbers, chance, max(left, 0.1)), "nothing was sent"
        except Exception as failure:  # noqa: BLE001 # every operation gets its turn
            failures.append(f"{operation.label}: {told(failure)}")
    assert not failures, "\n\n".join(failures)
    with central.client(central.create_node("afterwards")) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1)).is_success, "ingest is unharmed"


def told(failure: BaseException) -> str:
    """What an operation's failure says, with those inside of it."""
    inside = getattr(failure, "exceptions", ())
    return "\n".join([str(failure)[:1500], *map(told, inside)])


def attack(
    store: RunningCentral,
    operation: Any,
    numbers: Iterator[int],
    chance: random.Random,
    left: float,
) -> int:
    """Send generated requests, and see whether each answer is documented; returns how many."""
    until, count = time.monotonic() + left, 0
    with store.client(fresh_admin(store, numbers)) as client:
        session = {"Authorization": client.headers["Authorization"]}

        @seed(11)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def _send(case: Any) -> None:
            nonlocal count
            if count and time.monotonic() > until:
                return
            count += 1
            for name in case.path_parameters or {}:
                if name in KNOWN and chance.random() < 0.5:
                    case.path_parameters[name] = KNOWN[name]
            headers = {**(case.headers or {}), **session}
            try:
                answer = case.call(headers=headers, timeout=20)
            except (UnicodeError, httpx.InvalidURL, ValueError):
                return  # no client can send that
            case.validate_response(answer, checks=CHECKS)

        _send()
    return count
