-- How long the file of a row is, so that one that is missing or cut is found by looking at its size alone. NULL: stored
-- by an earlier release.
ALTER TABLE cover_fact ADD COLUMN file_bytes INTEGER;
