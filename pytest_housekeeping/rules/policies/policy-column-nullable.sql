-- title: The column that carries the identity may be NULL
-- level: warning
-- why: a row without an owner belongs to nobody: no tenant sees it, none can delete it, and a
--   comparison with IS NOT DISTINCT FROM shows it to every session without context.
--   https://www.postgresql.org/docs/16/ddl-constraints.html
-- fix: ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;
-- leak: SELECT count(*) FROM {table} WHERE {column} IS NULL; -- rows of nobody
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
-- tripwire-object: {schema}.hk_tripwire.tenant
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL, note text);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true) AND note IS NULL);
SELECT
    pg_catalog.format('%s.%I', t.object, i.name) AS object,
    pg_catalog.format(
        'the policies compare it with the identity (%s), and it may be NULL',
        pg_catalog.string_agg(DISTINCT p.name::text, ', ')
    ) AS detail,
    t.object AS table,
    pg_catalog.format('%I', i.name) AS column
FROM hk_identity AS i
INNER JOIN hk_policy_fact AS p ON i.policy_oid = p.oid
INNER JOIN hk_table AS t ON i.table_oid = t.oid
INNER JOIN pg_catalog.pg_attribute AS a ON i.table_oid = a.attrelid AND i.attnum = a.attnum
INNER JOIN pg_catalog.pg_type AS y ON a.atttypid = y.oid
WHERE NOT a.attnotnull AND NOT y.typnotnull
GROUP BY t.object, i.name
