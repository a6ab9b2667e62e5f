-- Programs that authenticate themselves: backends, gateways, services.
CREATE TABLE clients (
    -- client_id: a UUID that is never reused
    id                TEXT      COLLATE "C" NOT NULL PRIMARY KEY,
    -- for operators
    name              TEXT      COLLATE "C" NOT NULL UNIQUE,
    -- SHA-256 of the secret, which has 256 random bits
    secret_hash       BYTEA     NOT NULL,
    -- each a list, separated by spaces
    grants            TEXT      NOT NULL,
    scopes            TEXT      NOT NULL,
    audiences         TEXT      NOT NULL,
    disabled          BOOLEAN   NOT NULL DEFAULT FALSE,
    created_at        TIMESTAMP NOT NULL,
    secret_changed_at TIMESTAMP NOT NULL
);
