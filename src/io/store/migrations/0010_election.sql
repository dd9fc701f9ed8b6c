-- What a key remembers of its elections: which build may take the place of the one it shows, and which one a
-- person chose. Private. A key that remembers nothing has no row.
CREATE TABLE election (
    key_id    INTEGER PRIMARY KEY REFERENCES cover_key (id),
    kind      TEXT CHECK (kind IN ('majority', 'tie')),  -- NULL: nothing is to be decided
    winner_id INTEGER REFERENCES edition (id),           -- adopted if the votes stay so; NULL: the one shown stays
    since     TEXT,                                      -- the first of the pulls in a row that found this
    votes     INTEGER NOT NULL,                          -- of the winner, at the last pull
    listed    INTEGER NOT NULL,                          -- distinct addresses, at the last pull
    chosen_id INTEGER REFERENCES edition (id)            -- by hand, so that no vote replaces it
);
-- For editions that go.
CREATE INDEX election_winner ON election (winner_id);
CREATE INDEX election_chosen ON election (chosen_id);
