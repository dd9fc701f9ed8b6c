-- Sources of targets that pulls were given, and what each of them lists. Private.
CREATE TABLE target_source (
    name           TEXT PRIMARY KEY,
    asked_at       TEXT,     -- by the last pull without names that was given it; NULL: by none
    is_latest      INTEGER NOT NULL DEFAULT 0,  -- the last such pull was given it
    last_listed_at TEXT      -- when its list was last read; NULL: never
) WITHOUT ROWID;

-- An address that a source lists, or listed. Apart from the lists of centers: both may have it.
CREATE TABLE target (
    source        TEXT NOT NULL REFERENCES target_source (name),
    service_id    INTEGER NOT NULL REFERENCES service (id),
    address       TEXT NOT NULL,     -- in its normal form
    position      INTEGER NOT NULL,  -- in the list
    listed_at     TEXT NOT NULL,     -- when it was first seen, or seen again
    unlisted_at   TEXT,              -- NULL while it is listed
    agent         TEXT CHECK (agent IN ('goc', 'coverport', 'raw')),  -- NULL: not told
    meta_path     TEXT,              -- of an agent raw
    counters_path TEXT,
    pod           TEXT,
    uid           TEXT,
    restarts      INTEGER,
    PRIMARY KEY (source, service_id, address)
) WITHOUT ROWID;
CREATE INDEX target_service ON target (service_id);

-- The name is a JSON list of env, region, app, branch and commit, which are stored as they were given.
ALTER TABLE service ADD COLUMN has_fields INTEGER NOT NULL DEFAULT 0;
