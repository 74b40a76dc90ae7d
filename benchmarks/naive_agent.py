"""An autoscaler as one would write it in an afternoon, for comparison: not part of Poolkeeper.

Typed SDK clients with their defaults; for each pool a Get, a list of members, and one query for
each metric. Decisions are the same arithmetic: size x CPU / target.

    python benchmarks/naive_agent.py URL OCI_CONFIG POOLS_JSON POLL_SECONDS
"""

import json
import math
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import oci

TARGET = 50.0


def tick(compute: Any, monitoring: Any, pools: list[dict[str, Any]]) -> int:
    """Look after every pool once; return how many calls that took."""
    calls = 0
    for pool in pools:
        found = compute.get_instance_pool(pool["id"]).data
        compute.list_instance_pool_instances(pool["compartment_id"], pool["id"])
        calls += 2
        values = {}
        for metric in ("CpuUtilization", "MemoryUtilization"):
            values[metric] = newest(monitoring, pool, metric)
            calls += 1
        cpu = values["CpuUtilization"]
        if cpu is not None and found.lifecycle_state == "RUNNING":
            wanted = max(1, math.ceil(found.size * cpu / TARGET))
            if wanted != found.size:
                details = oci.core.models.UpdateInstancePoolDetails(size=wanted)
                compute.update_instance_pool(pool["id"], details)
                calls += 1
    return calls


def newest(monitoring: Any, pool: dict[str, Any], metric: str) -> float | None:
    """Return the newest mean of a metric over a pool's instances."""
    now = datetime.now(UTC)
    query = f'{metric}[1m]{{instancePoolId = "{pool["id"]}"}}.grouping().mean()'
    details = oci.monitoring.models.SummarizeMetricsDataDetails(
        namespace="oci_computeagent",
        query=query,
        start_time=now - timedelta(minutes=5),
        end_time=now,
    )
    try:
        series = monitoring.summarize_metrics_data(pool["compartment_id"], details).data
    except oci.exceptions.ServiceError:
        return None
    points = [point for one in series for point in one.aggregated_datapoints]
    return points[-1].value if points else None


def main() -> None:
    url, config_file, pools_file, poll = sys.argv[1:]
    config = oci.config.from_file(config_file)
    compute = oci.core.ComputeManagementClient(config, service_endpoint=url)
    monitoring = oci.monitoring.MonitoringClient(config, service_endpoint=url)
    pools = json.loads(Path(pools_file).read_text(encoding="utf-8"))
    while True:
        begin = time.monotonic()
        calls = tick(compute, monitoring, pools)
        seconds = time.monotonic() - begin
        print(json.dumps({"calls": calls, "seconds": seconds}), flush=True)
        time.sleep(max(0.0, float(poll) - seconds))


if __name__ == "__main__":
    main()
