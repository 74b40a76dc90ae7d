"""The one module that imports Oracle's SDK: signed calls with dict answers and bounded time.

It uses the SDK's signers and `BaseClient` without its typed models, retries and shared circuit
breaker, which cost memory or block for minutes in a daemon (measured: see docs/agent.md).
"""

import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import oci
import urllib3
from oci._vendor import requests
from oci.base_client import BaseClient
from oci.circuit_breaker import NoCircuitBreakerStrategy

from agent.clock import Monotonic, Wall
from agent.errors import CallError, Cause
from agent.oci_calls import MONITORING, Answer, Call
from agent.settings import OciAuth
from agent.throttle import Breaker, TokenBucket

TIMEOUTS = (3.0, 10.0)
TRIES = 3
BUDGET_SECONDS = 15.0
_ALLOWED_SKEW_SECONDS = 300


class Credentials:
    """Builds what signs requests, once, and never blocks a caller for longer than 10 seconds.

    The SDK's instance-principal signer fetches a certificate and a token when it is built, which
    takes minutes where there is no metadata service; it is built on a thread of its own.
    """

    def __init__(self, auth: OciAuth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._builder: Future[Any] | None = None

    def signer(self, region: str) -> tuple[dict[str, Any], Any]:
        """Return the SDK's configuration and signer for calls to a region.

        Raises:
            Exception: whatever the SDK says about a bad profile, key or metadata service.
        """
        if self._auth.kind == "instance_principal":
            return {"region": region}, self._instance_principal()
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

    def _instance_principal(self) -> Any:
        with self._lock:
            if self._builder is None or (self._builder.done() and self._builder.exception()):
                self._builder = Future()
                threading.Thread(
                    target=_build_principal, args=(self._builder,), name="oci-auth", daemon=True
                ).start()
            builder = self._builder
        return builder.result(timeout=10)


def _build_principal(result: "Future[Any]") -> None:
    try:
        strategy = oci.retry.NoneRetryStrategy()
        signer = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
            federation_client_retry_strategy=strategy
        )
        result.set_result(signer)
    except BaseException as error:  # noqa: BLE001 # handed to whoever waits for the signer
        result.set_exception(error)


@dataclass(frozen=True)
class Means:
    """What the client needs from outside.

    Attributes:
        credentials: builds the signer, once.
        endpoint: serves all services instead of Oracle's hosts (simulator, private endpoint);
            `{region}` in it stands for the region.
        sleep: waits seconds; returns True when the agent stops.
        metrics: keeps SummarizeMetricsData far under the tenancy's 10 requests/s.
        others: the same for every other operation.
    """

    credentials: Credentials
    endpoint: str | None
    wall: Wall
    monotonic: Monotonic
    sleep: Callable[[float], bool]
    jitter: random.Random
    metrics: TokenBucket
    others: TokenBucket


class OciClient:
    """Makes calls. Safe to share between threads; one SDK client for each service and region."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()

    def call(self, call: Call) -> Answer:
        """Make a call, again when that is safe and useful: at most 3 tries within 15 seconds.

        Raises:
            CallError: why it did not succeed, as a value.
        """
        deadline = self._means.monotonic() + BUDGET_SECONDS
        attempt = 1
        while True:
            try:
                return self._once(call)
            except CallError as error:
                cause = error.cause
                safe = cause.certainty == "not_sent" if call.is_write else cause.retry
                if not safe or attempt == TRIES or cause.code == "CircuitOpen":
                    raise
                wait = self._means.jitter.uniform(0, 0.25 * 2**attempt)
                wait = max(wait, cause.retry_after or 0)
                if self._means.monotonic() + wait >= deadline or self._means.sleep(wait):
                    raise
                attempt += 1

    def _once(self, call: Call) -> Answer:
        bucket = self._means.metrics if call.service is MONITORING else self._means.others
        breaker = self._breaker(call)
        paused = breaker.remaining()
        if paused:
            raise CallError(
                Cause(
                    call.operation,
                    f"{call.service.name} in {call.region} keeps failing; again in {paused:.0f} s",
                    code="CircuitOpen",
                    certainty="not_sent",
                    retry=True,
                )
            )
        bucket.take()
        try:
            answer = self._send(call)
        except CallError as error:
            outage = error.cause.status is None or error.cause.status >= 500
            (breaker.failed if outage else breaker.succeeded)()
            raise
        breaker.succeeded()
        return answer

    def _send(self, call: Call) -> Answer:
        headers = {"accept": "application/json", "content-type": "application/json"}
        try:
            response = self._client(call).call_api(
                resource_path=call.path,
                method=call.method,
                query_params=dict(call.query),
                header_params={**headers, **call.headers},
                body=None if call.body is None else json.dumps(call.body),
                response_type="object",
                operation_name=call.operation,
            )
        except oci.exceptions.ServiceError as error:
            raise CallError(self._refused(call, error)) from error
        except oci.exceptions.ConnectTimeout as error:
            raise CallError(_unsent(call, "no connection within 3 s")) from error
        except oci.exceptions.RequestException as error:
            raise CallError(_broken(call, error)) from error
        if isinstance(response.data, str):
            message = "the answer is not JSON; is a proxy in between?"
            raise CallError(
                Cause(call.operation, message, code="BadAnswer", certainty="unknown", retry=True)
            )
        return Answer(response.data, {k.lower(): v for k, v in response.headers.items()})

    def _refused(self, call: Call, error: oci.exceptions.ServiceError) -> Cause:
        message = str(error.message).strip()
        if error.status == 401:
            message += self._skew(error.headers.get("date"))
        return Cause(
            call.operation,
            message,
            status=error.status,
            code=str(error.code or ""),
            request_id=error.request_id,
            certainty="unknown" if error.status >= 500 else "refused",
            retry=error.status == 429 or error.status >= 500,
            retry_after=_seconds(error.headers.get("retry-after")),
        )

    def _skew(self, date: str | None) -> str:
        try:
            theirs = parsedate_to_datetime(date or "")
        except ValueError:
            return ""
        skew = (self._means.wall() - theirs).total_seconds()
        if abs(skew) <= _ALLOWED_SKEW_SECONDS:
            return ""
        way = "ahead of" if skew > 0 else "behind"
        return f" This node's clock is {abs(skew):.0f} s {way} Oracle's; 300 s are allowed."

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
            message = f"no OCI credentials: {type(error).__name__}: {error}"
            raise CallError(
                Cause(call.operation, message, code="AuthUnavailable", certainty="not_sent")
            ) from error
        return BaseClient(
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

    def _breaker(self, call: Call) -> Breaker:
        with self._lock:
            return self._breakers.setdefault(
                (call.service.name, call.region), Breaker(self._means.monotonic)
            )


def _endpoint(template: str | None, region: str) -> str | None:
    return None if template is None else template.replace("{region}", region)


def _unsent(call: Call, message: str) -> Cause:
    return Cause(call.operation, message, code="Unreachable", certainty="not_sent", retry=True)


def _broken(call: Call, error: oci.exceptions.RequestException) -> Cause:
    inner = error.args[0] if error.args else error
    if isinstance(inner, requests.exceptions.ReadTimeout):
        return Cause(
            call.operation, "no answer within 10 s", None, "Timeout", None, "unknown", True
        )
    reason = inner.args[0] if getattr(inner, "args", ()) else None
    reason = getattr(reason, "reason", reason)
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return _unsent(call, "connection refused or host unknown")
    message = f"the connection broke: {type(inner).__name__}"
    return Cause(call.operation, message, None, "Unreachable", None, "unknown", retry=True)


def _seconds(header: str | None) -> float | None:
    try:
        return min(max(float(header or ""), 0.0), 1800.0)
    except ValueError:
        return None
