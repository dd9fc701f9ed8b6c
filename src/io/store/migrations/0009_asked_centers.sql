-- Which centers pulls without names asked, whether they answered or not. Private. What only others list is offline
-- for a command that asks no center.
CREATE TABLE asked_center (
    url       TEXT PRIMARY KEY,
    asked_at  TEXT NOT NULL,
    is_latest INTEGER NOT NULL  -- by the last such pull
) WITHOUT ROWID;

-- Nobody knows which of them the last pull asked. The next one tells.
INSERT INTO asked_center (url, asked_at, is_latest) SELECT url, last_listed_at, 1 FROM center;
