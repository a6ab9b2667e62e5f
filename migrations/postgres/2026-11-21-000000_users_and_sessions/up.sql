-- The database's clock, by which all sessions live; the embedded database has a function of the same name.
-- Not now(), which is when the statement began: a REISSUE that waited for the row would set rotated_at back, and the
-- window would end early. clock_timestamp() is read again when the row changed while the statement waited for it.
CREATE FUNCTION tacit_now() RETURNS timestamp LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT clock_timestamp() AT TIME ZONE 'UTC' $$;

CREATE TABLE users (
    id                 TEXT      COLLATE "C" NOT NULL PRIMARY KEY,
    username           TEXT,
    username_canonical TEXT      COLLATE "C" UNIQUE,
    email              TEXT,
    email_canonical    TEXT      COLLATE "C" UNIQUE,
    password_hash      TEXT      NOT NULL,
    role               TEXT      NOT NULL,
    disabled           BOOLEAN   NOT NULL DEFAULT FALSE,
    -- Raised by every change of what a token claims; a token with a lower number is stale.
    version            BIGINT    NOT NULL DEFAULT 1,
    version_changed_at TIMESTAMP,
    created_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL,
    last_signed_in_at  TIMESTAMP,
    CHECK (username_canonical IS NOT NULL OR email_canonical IS NOT NULL)
);
CREATE INDEX users_version_changed_at ON users (version_changed_at) WHERE version_changed_at IS NOT NULL;

-- One row per session, updated in place. The protocol's indexes stand only on columns that a rotation does not write.
CREATE TABLE sessions (
    id               TEXT      COLLATE "C" NOT NULL PRIMARY KEY,
    -- NULL once the user is deleted: the row stays until the purge, so that its revocation is still told.
    user_id          TEXT      COLLATE "C" REFERENCES users (id) ON DELETE SET NULL,
    generation       BIGINT    NOT NULL DEFAULT 0,
    previous_branch  BYTEA,
    -- 0 fresh, 1 reissued, 2 confirmed
    phase            SMALLINT  NOT NULL DEFAULT 0,
    rotated_at       TIMESTAMP,
    -- SHA-256 of the random part of every refresh token of this session
    secret_hash      BYTEA     NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    authenticated_at TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL,
    -- seconds
    idle_timeout     BIGINT    NOT NULL,
    revoked_at       TIMESTAMP,
    revoked_reason   TEXT,
    user_agent       TEXT,
    ip               TEXT,
    label            TEXT,
    client_id        TEXT      NOT NULL DEFAULT 'tacit',
    scope            TEXT      NOT NULL DEFAULT ''
-- Room in every page for the next version of a row: a rotation then touches no index (a heap-only update). That room is
-- won back while nobody looks at old versions; ANALYZE does, and every rotation counts as a reason for it, so it waits.
) WITH (fillfactor = 80, autovacuum_analyze_threshold = 100000);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_revoked_at ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
