-- What the program itself remembers between two runs. Private: may change with any release.

CREATE TABLE cover_key (
    id         INTEGER PRIMARY KEY,
    env        TEXT NOT NULL,
    region     TEXT NOT NULL,
    app_name   TEXT NOT NULL,
    git_commit TEXT NOT NULL,
    UNIQUE (env, region, app_name, git_commit)
);

-- A registered name. Several names are one key where only their branches differ.
CREATE TABLE service (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    key_id        INTEGER NOT NULL REFERENCES cover_key (id),
    git_branch    TEXT NOT NULL,
    first_seen_at TEXT NOT NULL
);
CREATE INDEX service_key ON service (key_id);

-- When each center was last heard of.
CREATE TABLE center (
    url            TEXT PRIMARY KEY,
    last_listed_at TEXT NOT NULL
) WITHOUT ROWID;

-- Which address stands, or stood, under which name.
CREATE TABLE listing (
    service_id  INTEGER NOT NULL REFERENCES service (id),
    address     TEXT NOT NULL,
    center      TEXT NOT NULL,
    position    INTEGER NOT NULL,  -- among the addresses of the name
    listed_at   TEXT NOT NULL,     -- when it was first seen, or seen again
    unlisted_at TEXT,              -- NULL while it is listed
    PRIMARY KEY (service_id, address)
) WITHOUT ROWID;

-- How an address of a key has been answering.
CREATE TABLE address (
    key_id         INTEGER NOT NULL REFERENCES cover_key (id),
    address        TEXT NOT NULL,
    last_answer_at TEXT,
    failures       INTEGER NOT NULL DEFAULT 0,  -- in a row
    next_try_at    TEXT,
    last_error     TEXT,
    fraction       TEXT,  -- of its blocks that were hit at the last pull, as an agent shows it
    peeked         TEXT,  -- the fraction it showed last
    other_build    BLOB,  -- fingerprint of the build it serves, where that is not the key's
    PRIMARY KEY (key_id, address)
) WITHOUT ROWID;

-- A block structure, stored once for all processes that run it.
CREATE TABLE structure (
    id          INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    data        BLOB NOT NULL
);

-- Builds of a key that agree in every file they share (a server and a worker are one edition; a dirty
-- build is another). One is current: what reports show. One set aside waits, and loses nothing.
CREATE TABLE edition (
    id         INTEGER PRIMARY KEY,
    key_id     INTEGER NOT NULL REFERENCES cover_key (id),
    status     TEXT NOT NULL CHECK (status IN ('current', 'aside', 'former')),
    created_at TEXT NOT NULL
);
CREATE UNIQUE INDEX edition_current ON edition (key_id) WHERE status = 'current';
CREATE INDEX edition_key ON edition (key_id);

-- One life of one process: its last counters. Closed ones stay apart for some days, then fold into one
-- sum a build (address NULL), so that a crash loop does not grow without bound.
CREATE TABLE generation (
    id           INTEGER PRIMARY KEY,
    edition_id   INTEGER NOT NULL REFERENCES edition (id),
    structure_id INTEGER NOT NULL REFERENCES structure (id),
    address      TEXT,
    mode         TEXT NOT NULL CHECK (mode IN ('set', 'count', 'atomic')),
    opened_at    TEXT NOT NULL,
    pulled_at    TEXT NOT NULL,  -- when these counters were read
    closed_at    TEXT,
    counts       BLOB NOT NULL
);
CREATE INDEX generation_edition ON generation (edition_id, address);
CREATE INDEX generation_closed ON generation (closed_at) WHERE address IS NOT NULL;

CREATE TABLE schedule (
    key_id          INTEGER PRIMARY KEY REFERENCES cover_key (id),
    step            INTEGER NOT NULL,
    last_pull_at    TEXT,
    next_due_at     TEXT,
    addresses       TEXT NOT NULL,  -- JSON, sorted, at the last pull
    last_change_at  TEXT,
    counts_moved_at TEXT,           -- since when counters are ahead of the latest row
    unfinished      INTEGER NOT NULL DEFAULT 0  -- counters were stored, and no decision about a row yet
);

-- What a row of the public table says beyond its columns.
CREATE TABLE cover_fact (
    row_id         INTEGER PRIMARY KEY REFERENCES goc_o_staging_service_cover (id),
    edition_id     INTEGER NOT NULL REFERENCES edition (id),
    covered        INTEGER NOT NULL,  -- statements
    total          INTEGER NOT NULL,
    covered_digest BLOB NOT NULL,
    counts_digest  BLOB NOT NULL,
    answered       INTEGER NOT NULL,  -- addresses
    listed         INTEGER NOT NULL
);

-- The number of the last profile of an app; numbers are never used again.
CREATE TABLE app (
    folder      TEXT PRIMARY KEY,
    app_name    TEXT NOT NULL,
    last_number INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at   TEXT
);
