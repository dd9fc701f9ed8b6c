-- The clock of this machine went back: times that were stored before tell no order. Private.
CREATE TABLE clock_jump (
    went_to         TEXT NOT NULL,
    came_from       TEXT NOT NULL,
    last_generation INTEGER NOT NULL,  -- the last one that was stored before
    PRIMARY KEY (came_from, went_to)
) WITHOUT ROWID;
