"""The fleet at a moment: one row of system_analytics for every five minutes."""

from sqlalchemy import Engine, text

SYSTEM_LOCK = 0x706F6F6C07  # "pool" 07

# Utilisation is the newest five minutes' of each pool that reported within a quarter of an hour,
# weighted by its running instances: a mean over instances, as the name "system" promises.
_INSERT = """
WITH slot AS (
    SELECT date_bin('5 minutes', now()::timestamp, TIMESTAMP '2000-01-01') AS at
), newest AS (
    SELECT DISTINCT ON (pool_id) pool_id, active_last, cpu_avg, cpu_peak, cpu_max,
           memory_avg, memory_peak, memory_max
    FROM pool_analytics_5m
    WHERE bucket > now()::timestamp - interval '15 minutes' AND bucket <= now()::timestamp
    ORDER BY pool_id, bucket DESC
), fleet AS (
    SELECT count(*) FILTER (WHERE p.mode = 'active') AS pools,
           COALESCE(sum(p.current_instances) FILTER (WHERE p.last_analytics_at IS NOT NULL), 0)
               AS current,
           COALESCE(sum(n.active_last), 0) AS active,
           sum(n.cpu_avg * n.active_last)
               / NULLIF(sum(n.active_last) FILTER (WHERE n.cpu_avg IS NOT NULL), 0) AS cpu,
           sum(n.memory_avg * n.active_last)
               / NULLIF(sum(n.active_last) FILTER (WHERE n.memory_avg IS NOT NULL), 0) AS memory,
           max(GREATEST(n.cpu_peak, n.cpu_max)) AS cpu_peak,
           max(GREATEST(n.memory_peak, n.memory_max)) AS memory_peak
    FROM pools p LEFT JOIN newest n ON n.pool_id = p.id WHERE p.retired_at IS NULL
), day AS (
    SELECT COALESCE(max(total_current_instances), 0) AS instances,
           COALESCE(max(total_active_pools), 0) AS pools
    FROM system_analytics WHERE timestamp > now()::timestamp - interval '24 hours'
)
INSERT INTO system_analytics (timestamp, total_active_pools, total_current_instances,
    total_active_instances, avg_system_cpu, avg_system_memory, max_system_cpu, max_system_memory,
    peak_instances_24h, max_active_pools_24h, active_nodes)
SELECT slot.at, fleet.pools, fleet.current, fleet.active, fleet.cpu, fleet.memory, fleet.cpu_peak,
       fleet.memory_peak, GREATEST(day.instances, fleet.current), GREATEST(day.pools, fleet.pools),
       (SELECT count(*) FROM nodes WHERE status = 'ACTIVE')
FROM slot, fleet, day
WHERE NOT EXISTS (SELECT FROM system_analytics s WHERE s.timestamp = slot.at)
"""


def record_system(engine: Engine) -> bool:
    """Add the row of the current five minutes, if no replica has yet; tell whether it was us."""
    with engine.begin() as connection:
        lock = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not connection.execute(lock, {"key": SYSTEM_LOCK}).scalar_one():
            return False
        return connection.execute(text(_INSERT)).rowcount == 1
