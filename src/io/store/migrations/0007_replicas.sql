-- How many replicas of a key answered at its last pull. Private. A row of the public table says how many
-- answered when it was stored, and is not changed by later pulls.
CREATE TABLE replicas (
    key_id    INTEGER PRIMARY KEY REFERENCES cover_key (id),
    answered  INTEGER NOT NULL,  -- addresses
    listed    INTEGER NOT NULL,  -- distinct addresses that were listed or asked
    pulled_at TEXT NOT NULL
);

-- Until now the latest row was changed by each pull.
INSERT INTO replicas (key_id, answered, listed, pulled_at)
SELECT known.id, answered, listed, coalesce(last_pull_at, updated_at)
FROM goc_o_staging_service_cover AS cover
JOIN cover_fact ON row_id = cover.id
JOIN cover_key AS known ON (known.env, known.region, known.app_name, known.git_commit)
                         = (cover.env, cover.region, cover.app_name, cover.git_commit)
LEFT JOIN schedule ON key_id = known.id
WHERE is_latest = 'y' AND deleted_at IS NULL;
