"""Failures of OCI calls as values: what was asked, what came back, and whether to ask again."""

from dataclasses import dataclass
from typing import Literal

_SERVER_ERROR = 500
Certainty = Literal["refused", "not_sent", "unknown"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a call did not succeed.

    Attributes:
        operation: such as UpdateInstancePool.
        message: one sentence.
        status: HTTP status; None when no answer came.
        code: OCI's error code, or ours when no answer came: Unreachable, Timeout, BadAnswer,
            CircuitOpen, HeldBack, AuthUnavailable.
        request_id: `opc-request-id`, which Oracle's support asks for.
        certainty: `refused` by an answer; `not_sent`, so surely without effect; `unknown`, since
            the call may have taken effect although no good answer came.
        retry: whether the same call may succeed soon.
        retry_after: seconds that the service asked to wait, or None.
    """

    operation: str
    message: str
    status: int | None = None
    code: str = ""
    request_id: str | None = None
    certainty: Certainty = "refused"
    retry: bool = False
    retry_after: float | None = None

    @property
    def kind(self) -> str:
        """What failures have in common that are one and the same to an operator.

        An outage answers 500, 503 or not at all, by turns and for any operation.
        """
        if self.code == "AuthUnavailable":
            return self.code
        if self.status is None or self.status >= _SERVER_ERROR:
            return "no good answer"
        return f"{self.status} {self.code}"

    def __str__(self) -> str:
        status = f" {self.status}" if self.status is not None else ""
        request = f" (opc-request-id {self.request_id})" if self.request_id else ""
        return f"{self.operation}:{status} {self.code}: {self.message}{request}"


class CallError(Exception):
    """An OCI call that did not succeed. `cause` tells why."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(str(cause))
        self.cause = cause


class SettingsError(Exception):
    """The environment or a local file cannot be used; one sentence says which, why and the cure."""


class StateError(Exception):
    """A file of the agent's own state is not what the agent wrote."""
