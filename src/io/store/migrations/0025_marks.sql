-- The name that a person gave to a row (`pull --mark`); unique among the rows of an app that one pull stored. Rows with a name
-- are not thinned. Private.
CREATE TABLE mark (
    row_id INTEGER PRIMARY KEY REFERENCES goc_o_staging_service_cover (id),
    name   TEXT NOT NULL
);
CREATE INDEX mark_name ON mark (name);
