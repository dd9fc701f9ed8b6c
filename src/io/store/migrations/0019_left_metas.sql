-- Metas that were left in a folder of a service, so that counters that come without one can be read. Private.
CREATE TABLE left_meta (
    key_id  INTEGER NOT NULL REFERENCES cover_key (id) ON DELETE CASCADE,
    sha256  BLOB NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (key_id, sha256)
) WITHOUT ROWID;
