-- title: A policy lies dormant
-- level: error
-- why: policies of a table count only while row-level security is enabled on it. Whoever reads
--   the migration takes the table for protected; an attacker who may read it sees every row.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
--   {force}
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {on} LIMIT 5; -- the policy is not asked
--   ROLLBACK;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role} USING (id = 1);
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY shut ON {schema}.hk_good TO {role} USING (false);
SELECT
    p.object,
    'row-level security of its table is off, so that it filters nothing' AS detail,
    p.table_object AS table,
    r.role,
    coalesce(
        f.statements, pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', p.table_object)
    ) AS force
FROM hk_policy_fact AS p
LEFT JOIN hk_forcing AS f ON p.table_oid = f.oid
LEFT JOIN hk_reader AS r ON p.table_oid = r.oid
INNER JOIN hk_table AS t ON p.table_oid = t.oid
WHERE NOT t.row_security
