-- Rollouts of edits over many nodes, adoption of what a node runs, conditions and their messages.

CREATE TABLE rollouts (
    id SERIAL PRIMARY KEY,
    state VARCHAR(10) NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'halted', 'done')),
    reason TEXT,
    edits JSONB NOT NULL,
    batch INTEGER NOT NULL,
    allow_shrink INTEGER NOT NULL,
    terminated INTEGER NOT NULL DEFAULT 0,
    deadline_seconds INTEGER NOT NULL,
    stage INTEGER NOT NULL DEFAULT 1,
    stages INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT now(),
    created_by INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_by_email VARCHAR(255),
    created_by_role VARCHAR(50),
    finished_at TIMESTAMP
);

CREATE TABLE rollout_nodes (
    id SERIAL PRIMARY KEY,
    rollout_id INTEGER NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    stage INTEGER NOT NULL,
    state VARCHAR(10) NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'pushed', 'applied', 'skipped', 'failed')),
    reason TEXT,
    base_hash VARCHAR(64) NOT NULL,
    config_hash VARCHAR(64) NOT NULL,
    yaml_config TEXT,
    pushed_at TIMESTAMP,
    finished_at TIMESTAMP
);
CREATE UNIQUE INDEX uq_rollout_nodes_node ON rollout_nodes (rollout_id, node_id);
CREATE INDEX idx_rollout_nodes_node ON rollout_nodes (node_id);

ALTER TABLE node_state ADD COLUMN wants_config BOOLEAN NOT NULL DEFAULT false;
CREATE TABLE config_adoptions (
    node_id INTEGER PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    state VARCHAR(10) NOT NULL DEFAULT 'asked'
        CHECK (state IN ('asked', 'sent', 'adopted', 'refused')),
    take_over BOOLEAN NOT NULL DEFAULT false,
    base_hash VARCHAR(64),
    reason TEXT,
    yaml_config TEXT,
    config_hash VARCHAR(64),
    generation INTEGER,
    requested_at TIMESTAMP NOT NULL DEFAULT now(),
    requested_by INTEGER REFERENCES users (id) ON DELETE SET NULL,
    requested_by_email VARCHAR(255),
    requested_by_role VARCHAR(50),
    finished_at TIMESTAMP
);

CREATE TABLE conditions (
    id SERIAL PRIMARY KEY,
    kind VARCHAR(50) NOT NULL,
    subject VARCHAR(600) NOT NULL,
    node_id INTEGER REFERENCES nodes (id) ON DELETE CASCADE,
    pool_id INTEGER REFERENCES pools (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    since TIMESTAMP NOT NULL DEFAULT now(),
    last_seen_at TIMESTAMP NOT NULL DEFAULT now(),
    told_at TIMESTAMP
);
CREATE UNIQUE INDEX uq_conditions_subject ON conditions (kind, subject);
CREATE INDEX idx_conditions_node ON conditions (node_id);
CREATE INDEX idx_conditions_pool ON conditions (pool_id);

CREATE TABLE notifications (
    id SERIAL PRIMARY KEY,
    channel VARCHAR(20) NOT NULL,
    state VARCHAR(10) NOT NULL CHECK (state IN ('firing', 'resolved')),
    kind VARCHAR(50) NOT NULL,
    subject VARCHAR(600) NOT NULL,
    text TEXT NOT NULL,
    since TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT now(),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMP NOT NULL DEFAULT now(),
    sent_at TIMESTAMP,
    error TEXT
);
CREATE INDEX idx_notifications_created ON notifications (created_at);
CREATE INDEX idx_notifications_waiting ON notifications (channel, next_attempt_at)
    WHERE sent_at IS NULL;

-- What was received lately, for roll-ups and conditions, without reading the whole day.
CREATE INDEX idx_metrics_received ON metrics USING brin (received_at)
    WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX idx_pool_analytics_received ON pool_analytics USING brin (received_at)
    WITH (pages_per_range = 32, autosummarize = on);
