-- What prune remembers: who fails and since when, who was removed and may come back, and which keys it
-- dropped. Private.

-- An address that fails; one that answers has no row. By address alone: it is asked once, whoever lists it.
CREATE TABLE suspicion (
    address         TEXT PRIMARY KEY,
    since           TEXT NOT NULL,               -- of its failures in a row, of any kind
    runs            INTEGER NOT NULL,
    plain_since     TEXT,                        -- of the last ones of them that its host itself caused
    plain_runs      INTEGER NOT NULL DEFAULT 0,
    witnessed_since TEXT,                        -- since when another address answered in every run
    last_failed_at  TEXT NOT NULL,
    finding         TEXT NOT NULL,
    detail          TEXT NOT NULL,
    is_dead         INTEGER NOT NULL
) WITHOUT ROWID;

-- An address that was removed. Written before the removal, so that a crash in between loses nobody.
CREATE TABLE tombstone (
    center     TEXT NOT NULL,
    address    TEXT NOT NULL,
    service    TEXT NOT NULL,                    -- the name, as registered
    build      BLOB,                             -- fingerprint of what it served last
    removed_at TEXT NOT NULL,
    PRIMARY KEY (center, address, service)
) WITHOUT ROWID;

-- Set where all data of the key was dropped; its rows stay, deleted, for the trend.
ALTER TABLE cover_key ADD COLUMN dropped_at TEXT;

-- For the process that an address served last.
CREATE INDEX generation_open ON generation (address) WHERE closed_at IS NULL;
