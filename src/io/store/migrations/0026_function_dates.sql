-- When functions were first stored and last executed, for `report --unused`, beyond the time for which profiles are kept.
-- Private. A function is known by a digest of its place in the repository and its tokens, so that it is the same one at
-- all commits that have it unchanged. Times are milliseconds since 1970, UTC. Written under SQLite's own lock alone by reports;
-- nothing that a pull or prune decides hangs on it.
CREATE TABLE dated_app (
    id     INTEGER PRIMARY KEY,
    env    TEXT NOT NULL,
    region TEXT NOT NULL,
    app    TEXT NOT NULL,
    UNIQUE (env, region, app)
);
CREATE TABLE dated_commit (
    app_id  INTEGER NOT NULL REFERENCES dated_app (id),
    hash    TEXT NOT NULL,     -- as rows have it
    row_id  INTEGER NOT NULL,  -- the newest row whose executions are dated
    read_at INTEGER NOT NULL,  -- time until which that row tells what was executed
    PRIMARY KEY (app_id, hash)
) WITHOUT ROWID;
CREATE TABLE function_date (
    app_id       INTEGER NOT NULL REFERENCES dated_app (id),
    digest       BLOB NOT NULL,
    first_at     INTEGER NOT NULL,  -- time of the first row of a commit that has it
    executed_at  INTEGER,           -- time by which it was executed last; NULL: never since
    executed_row INTEGER,           -- the row that shows it
    PRIMARY KEY (app_id, digest)
) WITHOUT ROWID;
