-- Every table has a primary key: without one a row cannot be named, nor replicated logically.
SELECT tables.oid::regclass::text AS table_without_key
FROM pg_catalog.pg_class AS tables
WHERE
    tables.relkind IN ('r', 'p')
    AND tables.relnamespace::regnamespace::text IN ('venture', 'engineering', 'governance')
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_constraint AS key
        WHERE key.conrelid = tables.oid AND key.contype = 'p'
    )
ORDER BY table_without_key;
