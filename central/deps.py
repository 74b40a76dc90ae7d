"""What a request needs, built once by the composition root and carried by the app."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine

from central.enrolment_gate import EnrolmentGate
from central.errors import ApiError
from central.ingest.queue import IngestQueue
from central.keys import KeyCache
from central.login_gate import LoginGate
from central.oidc.flow import Oidc
from central.password_worker import PasswordWorker
from central.replay_desk import ReplayDesk
from central.store import audit
from central.store.audit import Actor, Event
from central.telemetry import Telemetry
from central.web.known_configs import KnownConfigs
from central.web.sparks import SparkCache


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts behind the routes.

    Attributes:
        engine: connections for operators' requests; ingest has its own.
        queue: where heartbeats wait for their commit.
        keys: whose a node key is.
        is_ready: whether ingest can commit and the schema is right.
        retry_after: seconds, jittered, that a refused agent is asked to wait.
        passwords: bcrypt, without taking processor time from ingest.
        gate: turns floods of logins away.
        enrolments: the same for enrolments.
        replays: gives turns to replays, which cost processor time.
        trusted_proxies: peers whose X-Forwarded-For is believed.
        oidc: logging in through Keycloak, where it is set up.
        public_url: the address that browsers use, such as https://pools.example.com.
        telemetry: what central measures of itself.
        metrics_token: what Prometheus shows for it; without one it must ask from this machine.
        sparks: the sparklines that pages showed last.
        known_configs: the configurations that pages read last, parsed.
    """

    engine: Engine
    queue: IngestQueue
    keys: KeyCache
    is_ready: Callable[[], bool]
    retry_after: Callable[[], int]
    passwords: PasswordWorker
    gate: LoginGate
    enrolments: EnrolmentGate
    replays: ReplayDesk
    trusted_proxies: frozenset[str] = field(default_factory=frozenset)
    oidc: Oidc | None = None
    public_url: str | None = None
    telemetry: Telemetry = field(default_factory=Telemetry)
    metrics_token: str | None = field(default=None, repr=False)
    sparks: SparkCache = field(default_factory=SparkCache)
    known_configs: KnownConfigs = field(default_factory=KnownConfigs)


def deps_of(request: Request) -> Deps:
    """The parts of the app that serves a request."""
    deps: Deps = request.app.state.deps
    return deps


Parts = Annotated[Deps, Depends(deps_of)]


def client_address(request: Request) -> str | None:
    """The address of whoever asks; a proxy's word counts only if that proxy is trusted."""
    peer = request.client.host if request.client else None
    forwarded = request.headers.get("x-forwarded-for", "")
    return address_of(peer, forwarded, deps_of(request).trusted_proxies)


def address_of(peer: str | None, forwarded: str, trusted: frozenset[str]) -> str | None:
    """The address behind a peer: the last one that a trusted proxy forwarded, or its own."""
    if peer in trusted:
        return forwarded.rpartition(",")[2].strip()[:45] or peer
    return peer


def anonymous(request: Request) -> Actor:
    """Whoever asks, before we know who it is."""
    return Actor(
        ip_address=client_address(request),
        user_agent=request.headers.get("user-agent"),
        request_id=getattr(request.state, "request_id", None),
    )


async def admitted(request: Request) -> Actor:
    """The operator whom `central.access` let through; nobody, if nothing asked for one."""
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None:
        raise ApiError(401, "unauthorized", "Log in first: poolkeeper login.")
    return actor


Operator = Annotated[Actor, Depends(admitted)]
Reader = Operator  # what each may do stands in `central.permissions`; the names help reading
Editor = Operator


@contextmanager
def audited(deps: Deps, actor: Actor, event: Event) -> Iterator[Connection]:
    """A transaction for a change: committed together with its audit row.

    A refused change is rolled back and audited as a FAILURE on its own.
    """
    try:
        with deps.engine.begin() as connection:
            yield connection
            audit.append(connection, actor, event)
    except ApiError as error:
        with deps.engine.begin() as connection:
            audit.append(connection, actor, event.failed(error.error))
        raise


def aware(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its instants said to be UTC, which they are."""
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
