"""Heartbeats and records as an agent would send them; name only what a test is about."""

from datetime import UTC, datetime
from typing import Any

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WEB = "ocid1.instancepool.oc1.eu-frankfurt-1.web"
CONFIG = f"""\
version: 1
pools:
  - name: web
    instance_pool_id: {WEB}
    compartment_id: ocid1.compartment.oc1..demo
    region: eu-frankfurt-1
    limits: {{min: 2, max: 20}}
"""


def beat(sequence: int = 1, *records: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A heartbeat of the first boot and the first stream."""
    return {
        "agent_version": "1.0.0",
        "stream_id": "stream-1",
        "boot_id": "boot-one",
        "sequence": sequence,
        "sent_at": NOON.isoformat(),
        "records": list(records),
        **fields,
    }


def analytics(sequence: int, **fields: Any) -> dict[str, Any]:
    """A pool_analytics record of the pool `web`."""
    return {
        "kind": "pool_analytics",
        "sequence": sequence,
        "oracle_pool_id": WEB,
        "timestamp": NOON.isoformat(),
        "current_instances": 3,
        "active_instances": 2,
        **fields,
    }


def metric(sequence: int, **fields: Any) -> dict[str, Any]:
    """A metrics record of the node itself."""
    return {
        "kind": "metric",
        "sequence": sequence,
        "metric_type": "node_cpu",
        "value": 12.5,
        "unit": "percent",
        "timestamp": NOON.isoformat(),
        **fields,
    }


def lifecycle(sequence: int, **fields: Any) -> dict[str, Any]:
    """A lifecycle record."""
    return {
        "kind": "lifecycle",
        "sequence": sequence,
        "event_type": "CONFIG_APPLIED",
        "new_status": "ACTIVE",
        "timestamp": NOON.isoformat(),
        **fields,
    }
