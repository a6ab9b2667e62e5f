-- The audit trail: what happened to accounts, sessions and clients, and what was refused. No name stands here, no password,
-- no token; addresses do, and are personal data.
CREATE TABLE audit_events (
    id         BIGINT    GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- by the database's clock, or a replica's for what is counted together
    at         TIMESTAMP NOT NULL,
    -- Of what is counted together, the last one; NULL: this was one event.
    last_at    TIMESTAMP,
    times      BIGINT    NOT NULL DEFAULT 1,
    -- Names what is counted together: refusals of one kind, of one account and address, within a quarter of an hour.
    merge_key  TEXT      COLLATE "C",
    event      TEXT      COLLATE "C" NOT NULL,
    outcome    TEXT      NOT NULL,
    reason     TEXT,
    -- the user it is about
    subject    TEXT      COLLATE "C",
    session    TEXT      COLLATE "C",
    client     TEXT      COLLATE "C",
    -- a keyed hash of the account whose password was tried, also of a name that nobody has
    account    TEXT      COLLATE "C",
    address    TEXT,
    -- who did it, if not the subject: an operator
    actor      TEXT,
    request_id TEXT,
    -- the rest, as words like role=admin
    detail     TEXT
);
CREATE UNIQUE INDEX audit_events_merge_key ON audit_events (merge_key) WHERE merge_key IS NOT NULL;
CREATE INDEX audit_events_at ON audit_events (at);
CREATE INDEX audit_events_subject ON audit_events (subject, at) WHERE subject IS NOT NULL;
CREATE INDEX audit_events_account ON audit_events (account, at) WHERE account IS NOT NULL;
