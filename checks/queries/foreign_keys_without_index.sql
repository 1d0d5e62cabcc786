-- Every foreign key has an index that begins with its columns: without one, deleting a parent reads
-- the whole child table.
SELECT
    key.conrelid::regclass::text AS referencing_table,
    key.conname AS foreign_key
FROM pg_catalog.pg_constraint AS key
WHERE
    key.contype = 'f'
    AND key.conparentid = 0
    AND key.connamespace::regnamespace::text IN ('venture', 'engineering', 'governance')
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_index AS candidate
        WHERE
            candidate.indrelid = key.conrelid
            AND candidate.indisvalid
            AND candidate.indpred IS NULL
            -- indkey counts from 0, and the columns of INCLUDE stand behind the key's.
            AND candidate.indnkeyatts >= cardinality(key.conkey)
            AND (candidate.indkey::smallint[])[0:cardinality(key.conkey) - 1] @> key.conkey
    )
ORDER BY referencing_table, foreign_key;
