-- What `report` computed of the changes of a row, for `total` and `history`. Private. One a row and base; it stays
-- with the row, also when that is soft-deleted. Written under SQLite's own lock alone, beside whatever a pull or
-- prune does, so nothing that they decide may hang on it.
CREATE TABLE cover_diff (
    row_id      INTEGER NOT NULL REFERENCES goc_o_staging_service_cover (id),
    base_commit TEXT NOT NULL,     -- full hash
    how         TEXT NOT NULL,     -- it was chosen, in words
    hit         INTEGER NOT NULL,  -- changed lines that were executed, at least partly
    lines       INTEGER NOT NULL,  -- changed lines that count
    computed_at TEXT NOT NULL,
    default_at  TEXT,              -- when it last was the base that is taken where none is named
    PRIMARY KEY (row_id, base_commit)
) WITHOUT ROWID;
