-- Counts of processes at one address that nothing tells apart since the clock went back.
ALTER TABLE generation ADD COLUMN is_mixture INTEGER NOT NULL DEFAULT 0;
