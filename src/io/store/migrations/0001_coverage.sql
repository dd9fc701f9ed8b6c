-- What people query: one row for each stored profile of a key (env + region + app + commit).
-- Public: columns are never renamed or dropped, only added.
CREATE TABLE goc_o_staging_service_cover (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at    TEXT NOT NULL,  -- UTC, RFC 3339
    updated_at    TEXT NOT NULL,
    deleted_at    TEXT,           -- set: the row is soft-deleted
    env           TEXT NOT NULL,  -- '' where the service's name fits no pattern
    region        TEXT NOT NULL,
    app_name      TEXT NOT NULL,  -- the whole name where it fits no pattern
    addresses     TEXT NOT NULL,  -- comma-separated
    git_branch    TEXT NOT NULL,
    git_commit    TEXT NOT NULL,
    is_latest     TEXT NOT NULL CHECK (is_latest IN ('y', 'n')),
    cov_file_path TEXT NOT NULL,  -- relative to the root
    cover_total   REAL NOT NULL   -- percentage of all statements, unrounded
);

-- At most one latest row a key, whatever goes wrong above.
CREATE UNIQUE INDEX goc_o_staging_service_cover_latest
    ON goc_o_staging_service_cover (env, region, app_name, git_commit)
    WHERE is_latest = 'y' AND deleted_at IS NULL;

CREATE INDEX goc_o_staging_service_cover_key
    ON goc_o_staging_service_cover (env, region, app_name, git_commit, id);
