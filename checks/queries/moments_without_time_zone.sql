-- A column named *_at is a timestamptz and one named *_on a date: anything else means another
-- moment in another session.
SELECT
    columns.attrelid::regclass::text AS in_table,
    columns.attname AS column_name,
    format_type(columns.atttypid, columns.atttypmod) AS column_type
FROM pg_catalog.pg_attribute AS columns
INNER JOIN pg_catalog.pg_class AS tables ON columns.attrelid = tables.oid
WHERE
    tables.relkind IN ('r', 'p')
    AND tables.relnamespace::regnamespace::text IN ('venture', 'engineering', 'governance')
    AND columns.attnum > 0
    AND NOT columns.attisdropped
    AND (
        (columns.attname LIKE '%\_at' AND columns.atttypid <> 'timestamptz'::regtype)
        OR (columns.attname LIKE '%\_on' AND columns.atttypid <> 'date'::regtype)
    )
ORDER BY in_table, column_name;
