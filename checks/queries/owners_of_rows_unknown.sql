-- The column that says whose a row is may not be NULL: such a row is seen by nobody, and counted by
-- every backup.
SELECT
    columns.attrelid::regclass::text AS in_table,
    columns.attname AS column_name
FROM pg_catalog.pg_attribute AS columns
INNER JOIN pg_catalog.pg_class AS tables ON columns.attrelid = tables.oid
WHERE
    tables.relkind IN ('r', 'p')
    AND tables.relnamespace::regnamespace::text IN ('venture', 'engineering', 'governance')
    AND columns.attname IN ('tenant_id', 'team_id', 'jurisdiction')
    AND NOT columns.attnotnull
ORDER BY in_table, column_name;
