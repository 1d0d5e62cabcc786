-- A constraint that was added NOT VALID has been validated since: until then it says nothing about
-- the rows that were there before it.
SELECT
    constraints.conrelid::regclass::text AS on_table,
    constraints.conname AS constraint_name
FROM pg_catalog.pg_constraint AS constraints
WHERE
    NOT constraints.convalidated
    AND constraints.connamespace::regnamespace::text IN ('venture', 'engineering', 'governance')
ORDER BY on_table, constraint_name;
