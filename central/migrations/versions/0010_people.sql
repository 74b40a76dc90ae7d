-- Accounts: which issuer vouches for a Keycloak user, and the reason of a role kept against it.
ALTER TABLE users ADD COLUMN keycloak_issuer VARCHAR(255);
ALTER TABLE users ADD COLUMN override_reason TEXT;

-- Sessions: a browser's cookie or a command line's bearer token; neither opens the other's door.
ALTER TABLE user_sessions ADD COLUMN kind VARCHAR(10) NOT NULL DEFAULT 'bearer'
    CHECK (kind IN ('bearer', 'cookie'));
ALTER TABLE user_sessions ADD COLUMN last_seen_at TIMESTAMP NOT NULL DEFAULT NOW();
ALTER TABLE user_sessions ADD COLUMN provider_session VARCHAR(255);
CREATE INDEX idx_user_sessions_provider ON user_sessions (provider_session);

-- A login that has gone to Keycloak and not come back; only hashes are kept.
CREATE TABLE oidc_logins (
    state_hash VARCHAR(64) PRIMARY KEY,
    browser_hash VARCHAR(64) NOT NULL,
    next_path TEXT NOT NULL DEFAULT '/',
    client_port INTEGER,
    client_challenge VARCHAR(64),
    client_state VARCHAR(128),
    expires_at TIMESTAMP NOT NULL
);

-- A login that a command line still has to pick up.
CREATE TABLE login_codes (
    code_hash VARCHAR(64) PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    challenge VARCHAR(64) NOT NULL,
    provider_session VARCHAR(255),
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX idx_login_codes_user ON login_codes (user_id);

-- Audit: who acted, even after the account is gone.
ALTER TABLE audit_logs ADD COLUMN actor_id INTEGER;
ALTER TABLE audit_logs DISABLE TRIGGER USER;
UPDATE audit_logs SET actor_id = user_id;
ALTER TABLE audit_logs ENABLE TRIGGER USER;
CREATE INDEX idx_audit_actor ON audit_logs (actor_id);
CREATE INDEX idx_audit_resource ON audit_logs (resource_type, resource_id);

CREATE TABLE audit_links (
    audit_id INTEGER PRIMARY KEY,
    day DATE NOT NULL,
    position INTEGER NOT NULL,
    hash VARCHAR(64) NOT NULL
);
CREATE UNIQUE INDEX uq_audit_links_position ON audit_links (day, position);

CREATE TABLE audit_seals (
    day DATE PRIMARY KEY,
    rows INTEGER NOT NULL,
    last_hash VARCHAR(64) NOT NULL,
    seal VARCHAR(64) NOT NULL,
    sealed_at TIMESTAMP NOT NULL DEFAULT NOW(),
    removed_at TIMESTAMP
);

CREATE TABLE audit_policy (
    id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    retention_days INTEGER CHECK (retention_days >= 90)
);
INSERT INTO audit_policy DEFAULT VALUES;

-- A value as a netstring, so that no two rows read alike: `5:hello,`; an absent one is `-,`.
CREATE FUNCTION audit_field(value TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN value IS NULL THEN '-,'
                ELSE octet_length(convert_to(value, 'UTF8')) || ':' || value || ',' END
$$;

-- Everything in a row but user_id, which is forgotten with its account.
CREATE FUNCTION audit_text(entry audit_logs) RETURNS TEXT LANGUAGE sql STABLE
SET search_path FROM CURRENT AS $$
    SELECT audit_field(entry.id::text) || audit_field(entry.actor_id::text)
        || audit_field(entry.user_email) || audit_field(entry.user_role)
        || audit_field(entry.action) || audit_field(entry.category)
        || audit_field(entry.resource_type) || audit_field(entry.resource_id)
        || audit_field(entry.resource_name) || audit_field(entry.description)
        || audit_field(entry.details) || audit_field(entry.ip_address)
        || audit_field(entry.user_agent) || audit_field(entry.status)
        || audit_field(entry.error_message)
        || audit_field(to_char(entry.timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.US'))
        || audit_field(entry.request_id)
$$;

CREATE FUNCTION audit_hash(content TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(content, 'UTF8')), 'hex')
$$;

-- Seal every finished day that has links: its seal covers the seal before it.
CREATE FUNCTION seal_audit_days(today DATE) RETURNS SETOF audit_seals LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    finished RECORD;
    previous TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(482905910275);
    IF today > (clock_timestamp() AT TIME ZONE 'UTC')::date + 1 THEN
        RAISE EXCEPTION 'only finished days are sealed';
    END IF;
    FOR finished IN
        SELECT day, count(*)::int AS rows,
               (array_agg(hash ORDER BY position DESC))[1] AS last_hash
        FROM audit_links
        WHERE day < today AND day > COALESCE((SELECT max(day) FROM audit_seals), '-infinity')
        GROUP BY day ORDER BY day
    LOOP
        SELECT seal INTO previous FROM audit_seals ORDER BY day DESC LIMIT 1;
        RETURN QUERY INSERT INTO audit_seals (day, rows, last_hash, seal) VALUES (
            finished.day, finished.rows, finished.last_hash,
            audit_hash(COALESCE(previous, repeat('0', 64)) || audit_field(finished.day::text)
                       || audit_field(finished.rows::text) || audit_field(finished.last_hash))
        ) RETURNING *;
    END LOOP;
END $$;

-- At COMMIT, when nothing else keeps a transaction open, each new row joins its day's chain. The
-- chain's tables belong to the owner alone: the application can neither write nor mend them.
CREATE FUNCTION link_audit_row() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    today DATE;
    place INTEGER;
    previous TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(482905910275);
    today := GREATEST(  -- a clock that goes back must not reopen a sealed day
        (clock_timestamp() AT TIME ZONE 'UTC')::date,
        (SELECT max(day) FROM audit_links),
        (SELECT max(day) + 1 FROM audit_seals)
    );
    SELECT position, hash INTO place, previous
    FROM audit_links WHERE day = today ORDER BY position DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM seal_audit_days(today);
        place := 0;
        SELECT seal INTO previous FROM audit_seals ORDER BY day DESC LIMIT 1;
        previous := COALESCE(previous, repeat('0', 64));
    END IF;
    INSERT INTO audit_links (audit_id, day, position, hash)
    VALUES (NEW.id, today, place + 1, audit_hash(previous || audit_text(NEW)));
    RETURN NULL;
END $$;

CREATE FUNCTION keep_audit_actor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.actor_id := NEW.user_id;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_logs_actor BEFORE INSERT ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION keep_audit_actor();
CREATE CONSTRAINT TRIGGER audit_logs_chain AFTER INSERT ON audit_logs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION link_audit_row();

-- Rows are only ever added. Two exceptions: the id of a deleted account is forgotten, and whole
-- sealed days may go once their seal says so.
CREATE OR REPLACE FUNCTION guard_audit_logs() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.user_id IS NULL THEN
        OLD.user_id := NULL;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM 1 FROM audit_links JOIN audit_seals USING (day)
        WHERE audit_id = OLD.id AND removed_at IS NOT NULL;
        IF FOUND THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit_logs is insert-only' USING ERRCODE = 'insufficient_privilege';
END $$;

-- Drop the rows of sealed days before a day that is at least 90 days ago; the seals stay.
CREATE FUNCTION remove_audit_days(before DATE) RETURNS INTEGER LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    removed INTEGER;
BEGIN
    IF before > (clock_timestamp() AT TIME ZONE 'UTC')::date - 90 THEN
        RAISE EXCEPTION 'audit rows are kept for at least 90 days';
    END IF;
    PERFORM pg_advisory_xact_lock(482905910275);
    UPDATE audit_seals SET removed_at = now() WHERE day < before AND removed_at IS NULL;
    DELETE FROM audit_logs USING audit_links
    WHERE audit_links.audit_id = audit_logs.id AND audit_links.day < before;
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM audit_links WHERE day < before;
    RETURN removed;
END $$;

-- Rows older than the chain join it, in their order, under the day of this migration.
DO $$
DECLARE
    entry audit_logs;
    place INTEGER := 0;
    previous TEXT := repeat('0', 64);
BEGIN
    FOR entry IN SELECT * FROM audit_logs ORDER BY id LOOP
        place := place + 1;
        previous := audit_hash(previous || audit_text(entry));
        INSERT INTO audit_links
        VALUES (entry.id, (clock_timestamp() AT TIME ZONE 'UTC')::date, place, previous);
    END LOOP;
END $$;
