-- Snapshots that were taken in from an inbox, so that one that comes again changes nothing. Private.
CREATE TABLE snapshot (
    identity TEXT PRIMARY KEY,  -- SHA-256 of service, process and profile
    taken_at TEXT NOT NULL
) WITHOUT ROWID;
