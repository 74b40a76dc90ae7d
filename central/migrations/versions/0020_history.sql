-- Roll-ups are partitioned by their buckets: 5 minutes by day, 1 hour by month.

CREATE TABLE pool_analytics_5m (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    bucket TIMESTAMP NOT NULL,
    samples INTEGER NOT NULL,
    current_min INTEGER NOT NULL,
    current_max INTEGER NOT NULL,
    current_avg DOUBLE PRECISION NOT NULL,
    current_last INTEGER NOT NULL,
    active_min INTEGER NOT NULL,
    active_max INTEGER NOT NULL,
    active_avg DOUBLE PRECISION NOT NULL,
    active_last INTEGER NOT NULL,
    cpu_count INTEGER NOT NULL,
    cpu_min DOUBLE PRECISION,
    cpu_max DOUBLE PRECISION,
    cpu_avg DOUBLE PRECISION,
    cpu_last DOUBLE PRECISION,
    cpu_peak DOUBLE PRECISION,
    memory_count INTEGER NOT NULL,
    memory_min DOUBLE PRECISION,
    memory_max DOUBLE PRECISION,
    memory_avg DOUBLE PRECISION,
    memory_last DOUBLE PRECISION,
    memory_peak DOUBLE PRECISION,
    PRIMARY KEY (pool_id, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX idx_pool_analytics_5m_bucket ON pool_analytics_5m (bucket);

CREATE TABLE pool_analytics_1h (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    bucket TIMESTAMP NOT NULL,
    samples INTEGER NOT NULL,
    current_min INTEGER NOT NULL,
    current_max INTEGER NOT NULL,
    current_avg DOUBLE PRECISION NOT NULL,
    current_last INTEGER NOT NULL,
    active_min INTEGER NOT NULL,
    active_max INTEGER NOT NULL,
    active_avg DOUBLE PRECISION NOT NULL,
    active_last INTEGER NOT NULL,
    cpu_count INTEGER NOT NULL,
    cpu_min DOUBLE PRECISION,
    cpu_max DOUBLE PRECISION,
    cpu_avg DOUBLE PRECISION,
    cpu_last DOUBLE PRECISION,
    cpu_peak DOUBLE PRECISION,
    memory_count INTEGER NOT NULL,
    memory_min DOUBLE PRECISION,
    memory_max DOUBLE PRECISION,
    memory_avg DOUBLE PRECISION,
    memory_last DOUBLE PRECISION,
    memory_peak DOUBLE PRECISION,
    PRIMARY KEY (pool_id, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX idx_pool_analytics_1h_bucket ON pool_analytics_1h (bucket);

CREATE TABLE metrics_5m (
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    pool_id INTEGER NOT NULL,
    metric_type VARCHAR(100) NOT NULL,
    bucket TIMESTAMP NOT NULL,
    unit VARCHAR(50) NOT NULL,
    samples INTEGER NOT NULL,
    value_count INTEGER NOT NULL,
    value_min DOUBLE PRECISION,
    value_max DOUBLE PRECISION,
    value_avg DOUBLE PRECISION,
    value_last DOUBLE PRECISION,
    PRIMARY KEY (node_id, pool_id, metric_type, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX idx_metrics_5m_bucket ON metrics_5m (bucket);

CREATE TABLE metrics_1h (
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    pool_id INTEGER NOT NULL,
    metric_type VARCHAR(100) NOT NULL,
    bucket TIMESTAMP NOT NULL,
    unit VARCHAR(50) NOT NULL,
    samples INTEGER NOT NULL,
    value_count INTEGER NOT NULL,
    value_min DOUBLE PRECISION,
    value_max DOUBLE PRECISION,
    value_avg DOUBLE PRECISION,
    value_last DOUBLE PRECISION,
    PRIMARY KEY (node_id, pool_id, metric_type, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX idx_metrics_1h_bucket ON metrics_1h (bucket);

CREATE TABLE rollup_state (
    name VARCHAR(50) PRIMARY KEY,
    done_until TIMESTAMP NOT NULL,
    finished_at TIMESTAMP NOT NULL DEFAULT NOW()
);

CREATE TABLE scaling_events (
    id BIGINT PRIMARY KEY,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    oracle_pool_id VARCHAR(255) NOT NULL,
    timestamp TIMESTAMP NOT NULL,
    current_instances INTEGER NOT NULL,
    active_instances INTEGER NOT NULL,
    avg_cpu_utilization DOUBLE PRECISION NOT NULL,
    avg_memory_utilization DOUBLE PRECISION NOT NULL,
    max_cpu_utilization DOUBLE PRECISION,
    max_memory_utilization DOUBLE PRECISION,
    pool_status VARCHAR(50),
    is_active BOOLEAN,
    scaling_event VARCHAR(100) NOT NULL,
    scaling_reason TEXT,
    config_hash VARCHAR(64),
    decision JSONB,
    received_at TIMESTAMP NOT NULL
);
CREATE INDEX idx_scaling_events_pool ON scaling_events (pool_id, timestamp);
CREATE INDEX idx_scaling_events_node ON scaling_events (node_id);
CREATE INDEX idx_scaling_events_time ON scaling_events (timestamp);

CREATE TABLE retention_policy (
    kind VARCHAR(50) PRIMARY KEY,
    days INTEGER NOT NULL CHECK (days BETWEEN 8 AND 36500)
);
INSERT INTO retention_policy (kind, days) VALUES
    ('node_heartbeats', 14), ('metrics', 14), ('pool_analytics', 14),
    ('metrics_5m', 90), ('pool_analytics_5m', 90),
    ('metrics_1h', 730), ('pool_analytics_1h', 730),
    ('scaling_events', 730), ('node_lifecycle_logs', 730), ('system_analytics', 730);

CREATE INDEX idx_system_analytics_time ON system_analytics (timestamp);
