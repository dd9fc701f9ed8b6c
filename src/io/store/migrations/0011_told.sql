-- Messages that are said once. Private.
CREATE TABLE told (
    topic   TEXT PRIMARY KEY,
    told_at TEXT NOT NULL
) WITHOUT ROWID;
