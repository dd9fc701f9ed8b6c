-- Counters that a process left in a folder, where pulled lives may have a part of them. The life has what is counted beside
-- those. Private.
CREATE TABLE left_counts (
    generation_id INTEGER PRIMARY KEY REFERENCES generation (id) ON DELETE CASCADE,
    counts        BLOB NOT NULL
);

-- A pulled life that may have counters of the left one. It may be gone by now.
CREATE TABLE left_owner (
    left_id  INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
    owner_id INTEGER NOT NULL,
    PRIMARY KEY (left_id, owner_id)
) WITHOUT ROWID;
CREATE INDEX left_owner_owner ON left_owner (owner_id);
