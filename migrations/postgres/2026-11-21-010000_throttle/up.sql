-- A moment so many milliseconds from now, so that a statement that sets one reads the same on both databases.
CREATE FUNCTION tacit_after(millis BIGINT) RETURNS timestamp LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT tacit_now() + millis * INTERVAL '1 millisecond' $$;

-- How often passwords were guessed of late. No name and no address stands here, only keyed hashes of them.
CREATE TABLE throttles (
    id            TEXT      COLLATE "C" NOT NULL PRIMARY KEY,
    -- account, device, address, names (how many an address tried) or name (one that an address tried)
    kind          TEXT      NOT NULL,
    -- failures and attempts under way since the window began
    failures      BIGINT    NOT NULL,
    -- the delay that the last of them brought, in milliseconds
    delay         BIGINT    NOT NULL,
    blocked_until TIMESTAMP NOT NULL,
    -- when all is forgotten, and the row may go
    resets_at     TIMESTAMP NOT NULL
);
CREATE INDEX throttles_resets_at ON throttles (resets_at);
