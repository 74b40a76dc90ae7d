"""The one module that imports Oracle's SDK: signed calls with dict answers and bounded time.

It uses the SDK's signers and `BaseClient` without its typed models, retries and shared circuit
breaker, which cost memory or block for minutes in a daemon (measured: see docs/agent.md).
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import oci
import urllib3
from oci._vendor import requests
from oci.base_client import BaseClient, OCIHTTPAdapter
from oci.circuit_breaker import NoCircuitBreakerStrategy

from agent import causes
from agent.clock import Monotonic, Wall
from agent.connections import pool_classes
from agent.errors import CallError, Cause
from agent.names import Names
from agent.oci_auth import OciAuth
from agent.oci_calls import Answer, Call
from agent.patience import Pace, PatientCaller
from agent.principal import AuthUnavailableError, Principal, Token

TIMEOUTS = (3.0, 10.0)
_WITHOUT_BODY = frozenset({202, 204})


class Credentials:
    """Says what signs requests. Building it never waits for the network.

    Args:
        auth: the kind, and where its parts are.
        wall: tells when a token is old.
        monotonic: measures how long the first requests wait for a token.
    """

    def __init__(self, auth: OciAuth, wall: Wall, monotonic: Monotonic) -> None:
        self._auth = auth
        self._principal = Principal(_Renewal(auth.federation_endpoint), wall, monotonic)

    def signer(self, region: str) -> tuple[dict[str, Any], Any]:
        """Return the SDK's configuration and signer for calls to a region.

        Raises:
            Exception: whatever the SDK says about a bad profile or key.
        """
        if self._auth.kind == "instance_principal":
            return {"region": region}, _PrincipalSigner(self._principal)
        if self._auth.kind == "config_file":
            found = oci.config.from_file(self._auth.config_file, self._auth.profile)
        else:
            found = {
                "tenancy": self._auth.tenancy,
                "user": self._auth.user,
                "fingerprint": self._auth.fingerprint,
                "key_file": self._auth.key_file,
            }
        config = {**found, "region": region}
        key_file = str(Path(config["key_file"]).expanduser())
        signer = oci.signer.Signer(
            config["tenancy"],
            config["user"],
            config["fingerprint"],
            key_file,
            pass_phrase=config.get("pass_phrase"),
        )
        return config, signer

    def refused(self) -> None:
        """Note that OCI answered 401: a token is renewed, a key stays what it is."""
        if self._auth.kind == "instance_principal":
            self._principal.refused()


class _PrincipalSigner(oci.auth.signers.SecurityTokenSigner):  # type: ignore[misc] # no types
    """Signs by the principal; the SDK asks for this class when there is no user."""

    def __init__(self, principal: Principal) -> None:  # its parent would want a token at once
        self._principal = principal

    def __call__(self, request: Any, *_: Any, **__: Any) -> Any:
        return self._principal(request)


class _Renewal:
    """Gets tokens by the SDK's federation client, one try at a time."""

    def __init__(self, federation_endpoint: str | None) -> None:
        self._endpoint = federation_endpoint
        self._source: Any = None

    def __call__(self) -> Token:
        once = oci.retry.NoneRetryStrategy()
        if self._source is None:
            self._source = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
                retry_strategy=once,
                federation_client_retry_strategy=once,
                federation_client_circuit_breaker_strategy=NoCircuitBreakerStrategy(),
                federation_endpoint=self._endpoint,
            )
        else:
            self._source.refresh_security_token()
        client = self._source.federation_client
        claims = client.security_token.get_jwt()
        return Token(
            oci.auth.signers.SecurityTokenSigner(
                client.security_token.security_token,
                client.session_key_supplier.get_key_pair()["private"],
            ),
            datetime.fromtimestamp(claims["iat"], UTC),
            datetime.fromtimestamp(claims["exp"], UTC),
        )


@dataclass(frozen=True)
class Means:
    """What the client needs from outside.

    Attributes:
        credentials: builds the signer, once.
        endpoint: serves all services instead of Oracle's hosts (simulator, private endpoint);
            `{region}` in it stands for the region.
        names: looks hosts up.
    """

    credentials: Credentials
    endpoint: str | None
    wall: Wall
    pace: Pace
    names: Names = field(default_factory=Names)


class _Adapter(OCIHTTPAdapter):  # type: ignore[misc] # no types
    """The SDK's way to HTTP, with connections that do not wait for a resolver that hangs."""

    def __init__(self, names: Names, monotonic: Monotonic) -> None:
        self._classes = pool_classes(names, monotonic)
        super().__init__()

    def init_poolmanager(self, *words: Any, **more: Any) -> None:
        super().init_poolmanager(*words, **more)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def proxy_manager_for(self, *words: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(*words, **more)
        manager.pool_classes_by_scheme = self._classes
        return manager


class OciClient:
    """Makes calls. Safe to share between threads; one SDK client for each service and region.

    Attributes:
        clock_ahead: seconds by which this node's clock is ahead of OCI's, by the newest answer.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self.clock_ahead: float | None = None
        self._patient = PatientCaller(self._send, means.pace)
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._lock = threading.Lock()

    def call(self, call: Call) -> Answer:
        """Make a call, again when that is safe and useful: at most 3 tries within 15 seconds.

        Raises:
            CallError: why it did not succeed, as a value.
        """
        return self._patient.call(call)

    def _send(self, call: Call) -> Answer:
        asked = {"accept": "application/json", "content-type": "application/json"}
        try:
            response = self._client(call).call_api(
                resource_path=call.path,
                method=call.method,
                query_params=dict(call.query),
                header_params={**asked, **call.headers},
                body=None if call.body is None else json.dumps(call.body),
                response_type="object",
                operation_name=call.operation,
            )
        except AuthUnavailableError as error:
            raise CallError(causes.unsigned(call, str(error))) from error
        except oci.exceptions.ServiceError as error:
            raise CallError(self._refused(call, error)) from error
        except oci.exceptions.ConnectTimeout as error:
            raise CallError(causes.unsent(call, "no connection within 3 s")) from error
        except oci.exceptions.RequestException as error:
            raise CallError(_broken(call, error)) from error
        empty = response.status in _WITHOUT_BODY and not response.data
        if isinstance(response.data, str) and not empty:
            message = "the answer is not JSON; is a proxy in between?"
            raise CallError(
                Cause(call.operation, message, code="BadAnswer", certainty="unknown", retry=True)
            )
        headers = {k.lower(): v for k, v in response.headers.items()}
        self.clock_ahead = causes.seconds_ahead(headers.get("date"), self._means.wall())
        return Answer(response.data, headers)

    def _refused(self, call: Call, error: oci.exceptions.ServiceError) -> Cause:
        message = str(error.message).strip()
        self.clock_ahead = causes.seconds_ahead(error.headers.get("date"), self._means.wall())
        if error.status == 401:
            message += causes.skew(error.headers.get("date"), self._means.wall())
            self._means.credentials.refused()
        return Cause(
            call.operation,
            message,
            status=error.status,
            code=str(error.code or ""),
            request_id=error.request_id,
            certainty="unknown" if error.status >= 500 else "refused",
            retry=error.status == 429 or error.status >= 500,
            retry_after=causes.retry_after(error.headers.get("retry-after")),
        )

    def _client(self, call: Call) -> BaseClient:
        key = (call.service.name, call.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._build(call)
            return self._clients[key]

    def _build(self, call: Call) -> BaseClient:
        try:
            config, signer = self._means.credentials.signer(call.region)
        except Exception as error:  # the SDK raises anything here; told as one sentence
            raise CallError(causes.unsigned(call, f"{type(error).__name__}: {error}")) from error
        client = BaseClient(
            call.service.name,
            config,
            signer,
            {},
            base_path=call.service.base_path,
            service_endpoint=_endpoint(self._means.endpoint, call.region),
            service_endpoint_template=call.service.endpoint,
            timeout=TIMEOUTS,
            skip_deserialization=True,
            circuit_breaker_strategy=NoCircuitBreakerStrategy(),
        )
        for scheme in ("https://", "http://"):
            client.session.mount(scheme, _Adapter(self._means.names, self._means.pace.monotonic))
        return client


def _endpoint(template: str | None, region: str) -> str | None:
    return None if template is None else template.replace("{region}", region)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The errors behind an error: the SDK keeps only their text, Python keeps themselves."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _broken(call: Call, error: oci.exceptions.RequestException) -> Cause:
    inner = error.args[0] if error.args else error
    if isinstance(inner, requests.exceptions.ReadTimeout):
        return Cause(
            call.operation, "no answer within 10 s", None, "Timeout", None, "unknown", True
        )
    if any(isinstance(e, urllib3.exceptions.NewConnectionError) for e in _chain(error)):
        return causes.unsent(call, "connection refused or host unknown")
    message = f"the connection broke: {type(inner).__name__}"
    return Cause(call.operation, message, None, "Unreachable", None, "unknown", retry=True)
