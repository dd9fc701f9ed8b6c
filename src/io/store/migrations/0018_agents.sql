-- Agents that serve Go's binary coverage data. Private.

-- Addresses that were found to be of another kind than goc.
CREATE TABLE agent (
    address TEXT PRIMARY KEY,
    kind    TEXT NOT NULL
) WITHOUT ROWID;

-- What can be counted in a program, as Go writes it. Its hash is no proof: two contents of one hash are two metas.
CREATE TABLE meta (
    sha256       BLOB PRIMARY KEY,
    hash         BLOB NOT NULL,
    structure_id INTEGER NOT NULL REFERENCES structure (id) ON DELETE CASCADE,
    data         BLOB NOT NULL
);
CREATE INDEX meta_hash ON meta (hash);
CREATE INDEX meta_structure ON meta (structure_id);

-- The process of a life, as its agent and the list of targets tell it.
CREATE TABLE process (
    generation_id INTEGER PRIMARY KEY REFERENCES generation (id) ON DELETE CASCADE,
    meta          BLOB NOT NULL,
    pid           INTEGER,
    uid           TEXT,
    restarts      INTEGER
);
