-- The eleven tables that operators may rely on, and what central needs beside them.
-- Every table and column is explained in docs/schema.md.

CREATE TYPE user_role AS ENUM ('USER', 'DEVOPS', 'ADMIN');
CREATE TYPE auth_provider AS ENUM ('local', 'keycloak');
CREATE TYPE node_status AS ENUM ('ACTIVE', 'INACTIVE', 'ERROR', 'OFFLINE');
CREATE TYPE pool_status AS ENUM ('healthy', 'warning', 'error');

CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) NOT NULL UNIQUE,
    hashed_password VARCHAR(255),
    full_name VARCHAR(255) NOT NULL,
    role user_role DEFAULT 'USER',
    auth_provider auth_provider DEFAULT 'local',
    keycloak_user_id VARCHAR(255) UNIQUE,
    role_override BOOLEAN DEFAULT FALSE,
    is_active BOOLEAN DEFAULT TRUE,
    created_at TIMESTAMP DEFAULT NOW()
);

CREATE TABLE nodes (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    region VARCHAR(100) NOT NULL,
    ip_address VARCHAR(45),
    description TEXT,
    status node_status DEFAULT 'INACTIVE',
    api_key_hash VARCHAR(64) UNIQUE,
    last_heartbeat TIMESTAMP,
    created_at TIMESTAMP DEFAULT NOW()
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX uq_nodes_name ON nodes (name);

CREATE TABLE pools (
    id SERIAL PRIMARY KEY,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    oracle_pool_id VARCHAR(255) NOT NULL UNIQUE,
    name VARCHAR(255) NOT NULL,
    region VARCHAR(100) NOT NULL,
    min_instances INTEGER DEFAULT 1,
    max_instances INTEGER DEFAULT 10,
    current_instances INTEGER DEFAULT 1,
    status pool_status DEFAULT 'healthy',
    created_at TIMESTAMP DEFAULT NOW(),
    compartment_id VARCHAR(255),
    mode VARCHAR(20) NOT NULL DEFAULT 'active',
    retired_at TIMESTAMP,
    last_analytics_at TIMESTAMP
) WITH (fillfactor = 70);
CREATE INDEX idx_pools_node ON pools (node_id);
CREATE UNIQUE INDEX uq_pools_node_name ON pools (node_id, name) WHERE retired_at IS NULL;

CREATE TABLE metrics (
    id BIGSERIAL NOT NULL,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    pool_id INTEGER REFERENCES pools (id) ON DELETE CASCADE,
    metric_type VARCHAR(100) NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    unit VARCHAR(50) NOT NULL,
    timestamp TIMESTAMP DEFAULT NOW(),
    received_at TIMESTAMP NOT NULL DEFAULT NOW(),
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX idx_metrics_node_timestamp ON metrics (node_id, timestamp);
CREATE INDEX idx_metrics_pool_timestamp ON metrics (pool_id, timestamp);

CREATE TABLE schedules (
    id SERIAL PRIMARY KEY,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    start_time VARCHAR(5) NOT NULL,
    end_time VARCHAR(5) NOT NULL,
    target_instances INTEGER NOT NULL,
    is_active BOOLEAN DEFAULT TRUE,
    created_at TIMESTAMP DEFAULT NOW(),
    timezone VARCHAR(64) NOT NULL DEFAULT 'UTC',
    days TEXT[] NOT NULL DEFAULT '{mon,tue,wed,thu,fri,sat,sun}',
    mode VARCHAR(20) NOT NULL DEFAULT 'at_least',
    pools TEXT[],
    ready_early INTEGER NOT NULL DEFAULT 0,
    valid_from DATE,
    valid_until DATE,
    exceptions DATE[] NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX uq_schedules_node_name ON schedules (node_id, name);

CREATE TABLE audit_logs (
    id SERIAL PRIMARY KEY,
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    user_email VARCHAR(255),
    user_role VARCHAR(50),
    action VARCHAR(100) NOT NULL,
    category VARCHAR(50) NOT NULL,
    resource_type VARCHAR(100),
    resource_id VARCHAR(255),
    resource_name VARCHAR(255),
    description TEXT,
    details TEXT,
    ip_address VARCHAR(45),
    user_agent TEXT,
    status VARCHAR(20) DEFAULT 'SUCCESS',
    error_message TEXT,
    timestamp TIMESTAMP DEFAULT NOW(),
    request_id VARCHAR(64)
);
CREATE INDEX idx_audit_category ON audit_logs (category);
CREATE INDEX idx_audit_timestamp ON audit_logs (timestamp);
CREATE INDEX idx_audit_user ON audit_logs (user_id);

CREATE TABLE node_configurations (
    id SERIAL PRIMARY KEY,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    yaml_config TEXT NOT NULL,
    config_hash VARCHAR(64) NOT NULL,
    is_active BOOLEAN DEFAULT TRUE,
    created_at TIMESTAMP DEFAULT NOW(),
    generation INTEGER NOT NULL,
    rollback_of INTEGER,
    created_by INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_by_email VARCHAR(255)
);
CREATE UNIQUE INDEX uq_node_configurations_active ON node_configurations (node_id) WHERE is_active;
CREATE UNIQUE INDEX uq_node_configurations_generation ON node_configurations (node_id, generation);
CREATE INDEX idx_node_configurations_hash ON node_configurations (config_hash);

CREATE TABLE node_heartbeats (
    id BIGSERIAL NOT NULL,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    config_hash VARCHAR(64),
    status VARCHAR(50) NOT NULL,
    error_message TEXT,
    metrics_data TEXT,
    timestamp TIMESTAMP DEFAULT NOW(),
    received_at TIMESTAMP NOT NULL DEFAULT NOW(),
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX idx_heartbeat_node_time ON node_heartbeats (node_id, timestamp);

CREATE TABLE node_lifecycle_logs (
    id SERIAL PRIMARY KEY,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    event_type VARCHAR(50) NOT NULL,
    previous_status VARCHAR(50),
    new_status VARCHAR(50) NOT NULL,
    reason TEXT,
    triggered_by VARCHAR(100),
    extra_data TEXT,
    timestamp TIMESTAMP DEFAULT NOW()
);
CREATE INDEX idx_lifecycle_node ON node_lifecycle_logs (node_id);
CREATE INDEX idx_lifecycle_time ON node_lifecycle_logs (timestamp);

CREATE TABLE pool_analytics (
    id BIGSERIAL NOT NULL,
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    oracle_pool_id VARCHAR(255) NOT NULL,
    timestamp TIMESTAMP DEFAULT NOW(),
    current_instances INTEGER NOT NULL,
    active_instances INTEGER NOT NULL,
    avg_cpu_utilization DOUBLE PRECISION NOT NULL,
    avg_memory_utilization DOUBLE PRECISION NOT NULL,
    max_cpu_utilization DOUBLE PRECISION,
    max_memory_utilization DOUBLE PRECISION,
    pool_status VARCHAR(50) DEFAULT 'healthy',
    is_active BOOLEAN DEFAULT TRUE,
    scaling_event VARCHAR(100),
    scaling_reason TEXT,
    config_hash VARCHAR(64),
    decision JSONB,
    received_at TIMESTAMP NOT NULL DEFAULT NOW(),
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX idx_pool_analytics_time ON pool_analytics (timestamp);
CREATE INDEX idx_pool_analytics_pool ON pool_analytics (pool_id);
CREATE INDEX idx_pool_analytics_node_timestamp ON pool_analytics (node_id, timestamp);

CREATE TABLE system_analytics (
    id SERIAL PRIMARY KEY,
    timestamp TIMESTAMP DEFAULT NOW(),
    total_active_pools INTEGER DEFAULT 0,
    total_current_instances INTEGER DEFAULT 0,
    total_active_instances INTEGER DEFAULT 0,
    avg_system_cpu DOUBLE PRECISION DEFAULT 0,
    avg_system_memory DOUBLE PRECISION DEFAULT 0,
    max_system_cpu DOUBLE PRECISION DEFAULT 0,
    max_system_memory DOUBLE PRECISION DEFAULT 0,
    peak_instances_24h INTEGER DEFAULT 0,
    max_active_pools_24h INTEGER DEFAULT 0,
    active_nodes INTEGER DEFAULT 0
);

-- Added: what central needs to authenticate, to remember, and to run with replicas.

CREATE TABLE node_keys (
    id SERIAL PRIMARY KEY,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    key_hash VARCHAR(64) NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    expires_at TIMESTAMP,
    revoked_at TIMESTAMP
);
CREATE INDEX idx_node_keys_node ON node_keys (node_id);

CREATE TABLE node_state (
    node_id INTEGER PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    assigned_interval DOUBLE PRECISION NOT NULL DEFAULT 30,
    deadline_at TIMESTAMP,
    received_at TIMESTAMP,
    offline_since TIMESTAMP,
    stream_id VARCHAR(64),
    boot_id VARCHAR(64),
    previous_boot_id VARCHAR(64),
    sequence BIGINT NOT NULL DEFAULT 0,
    agent_version VARCHAR(50),
    protocol INTEGER,
    capabilities TEXT[] NOT NULL DEFAULT '{}',
    last_tick_at TIMESTAMP,
    running_hash VARCHAR(64),
    received_hash VARCHAR(64),
    failed_hash VARCHAR(64),
    apply_status VARCHAR(20) NOT NULL DEFAULT 'none',
    apply_error TEXT,
    reported_generation INTEGER NOT NULL DEFAULT 0,
    active_hash VARCHAR(64),
    active_generation INTEGER,
    retry_offers INTEGER NOT NULL DEFAULT 0,
    observe_pools TEXT[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);

CREATE TABLE stream_cursors (
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    stream_id VARCHAR(64) NOT NULL,
    last_sequence BIGINT NOT NULL DEFAULT 0,
    updated_at TIMESTAMP NOT NULL DEFAULT NOW(),
    PRIMARY KEY (node_id, stream_id)
) WITH (fillfactor = 70);

CREATE TABLE user_sessions (
    id SERIAL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash VARCHAR(64) NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    expires_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    ip_address VARCHAR(45),
    user_agent TEXT
);
CREATE INDEX idx_user_sessions_user ON user_sessions (user_id);

CREATE TABLE login_throttles (
    subject VARCHAR(320) PRIMARY KEY,
    failures INTEGER NOT NULL,
    window_started_at TIMESTAMP NOT NULL DEFAULT NOW(),
    blocked_until TIMESTAMP
);

CREATE TABLE central_state (
    id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    alive_at TIMESTAMP NOT NULL DEFAULT NOW(),
    healthy_since TIMESTAMP NOT NULL DEFAULT NOW(),
    outage_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
    disruption_since TIMESTAMP
);
INSERT INTO central_state DEFAULT VALUES;

-- A revoked or deleted key must stop working on every replica at once.
CREATE FUNCTION notify_node_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('poolkeeper_keys', COALESCE(OLD.node_id, NEW.node_id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER node_keys_changed AFTER INSERT OR UPDATE OR DELETE ON node_keys
    FOR EACH ROW EXECUTE FUNCTION notify_node_keys();

-- Audit rows are only ever added; the one change allowed is forgetting a deleted user's id.
CREATE FUNCTION guard_audit_logs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.user_id IS NULL THEN
        OLD.user_id := NULL;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit_logs is insert-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_logs_insert_only BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION guard_audit_logs();
CREATE TRIGGER audit_logs_no_truncate BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_logs();

-- Timestamps carry no zone and always mean UTC; sessions that set nothing shall agree.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'UTC');
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'not the owner of the database: central sets the time zone per connection';
END $$;
