-- What the last answer of an open generation looked like, so that the same answer is known without being
-- read again. Only where the counters stored are the very ones it printed. A table of its own, because a
-- column behind the counters could only be reached through all of their pages.
CREATE TABLE last_answer (
    generation_id INTEGER PRIMARY KEY REFERENCES generation (id) ON DELETE CASCADE,
    fraction      TEXT NOT NULL,  -- of its blocks that were hit, as an agent shows it
    imprint       BLOB NOT NULL
);
