-- Set where an agent answered at the address when it was removed, to stand under its right names alone: until it
-- is listed again, each prune registers it.
ALTER TABLE tombstone ADD COLUMN was_alive INTEGER NOT NULL DEFAULT 0;
