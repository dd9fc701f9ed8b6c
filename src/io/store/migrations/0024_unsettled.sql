-- A pulled life that moved since the surpluses of left counters beside it were stored, with its counters of then; NULL: it
-- is new since then. Private.
CREATE TABLE unsettled (
    generation_id INTEGER PRIMARY KEY REFERENCES generation (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    counts        BLOB
);
