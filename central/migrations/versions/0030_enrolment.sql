-- One-time tokens by which a machine becomes a node.
CREATE TABLE enrolment_tokens (
    id SERIAL PRIMARY KEY,
    token_hash VARCHAR(64) NOT NULL UNIQUE,
    name VARCHAR(255),
    region VARCHAR(100),
    replaces BOOLEAN NOT NULL DEFAULT false,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    created_by INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_by_email VARCHAR(255),
    expires_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    used_at TIMESTAMP,
    nonce_hash VARCHAR(64),
    node_id INTEGER REFERENCES nodes (id) ON DELETE SET NULL,
    node_name VARCHAR(255)
);
CREATE INDEX idx_enrolment_tokens_node ON enrolment_tokens (node_id);

-- A key that was handed out in an answer and has not been seen in use yet: one for each node.
ALTER TABLE node_keys ADD COLUMN candidate BOOLEAN NOT NULL DEFAULT false;
CREATE UNIQUE INDEX uq_node_keys_candidate ON node_keys (node_id) WHERE candidate;

ALTER TABLE node_state
    ADD COLUMN rival_boot_id VARCHAR(64),
    ADD COLUMN rival_sequence BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN rival_beats INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN rival_heard_at TIMESTAMP,
    ADD COLUMN duplicate_since TIMESTAMP,
    ADD COLUMN rotate_key_since TIMESTAMP,
    ADD COLUMN tenancy VARCHAR(255);

-- Whose a pool was before it was taken over: late records belong to the time of their owner.
CREATE TABLE pool_former_owners (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    node_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    until TIMESTAMP NOT NULL DEFAULT NOW(),
    PRIMARY KEY (pool_id, node_id)
);
CREATE INDEX idx_pool_former_owners_node ON pool_former_owners (node_id);
