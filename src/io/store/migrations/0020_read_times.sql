-- Nanoseconds since 1970, by the clock of the process, at which the counters of its life were read. An answer that is
-- older comes from a cache.
ALTER TABLE process ADD COLUMN read_at INTEGER;
