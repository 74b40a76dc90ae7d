"""Requests to OCI as values, and what makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Service:
    """Where an OCI service lives."""

    name: str
    base_path: str
    endpoint: str


COMPUTE = Service("compute_management", "/20160918", "https://iaas.{region}.{secondLevelDomain}")
AUTOSCALING = Service(
    "autoscaling", "/20181001", "https://autoscaling.{region}.oci.{secondLevelDomain}"
)
MONITORING = Service("monitoring", "/20180401", "https://telemetry.{region}.{secondLevelDomain}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Writes are sent again only when the first one surely did not arrive."""

    service: Service
    region: str
    operation: str
    method: Literal["GET", "PUT", "POST"]
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    is_write: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: parsed JSON, and headers with lower-case names."""

    data: Any
    headers: Mapping[str, str]


class Caller(Protocol):
    """Makes calls."""

    def call(self, call: Call) -> Answer:
        """Make one and return its answer; raises CallError."""
        ...
