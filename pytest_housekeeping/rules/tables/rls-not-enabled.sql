-- title: Row-level security is not enabled
-- level: error
-- why: without row-level security every role that may read the table reads the rows of all
--   tenants. Each partition and each inheritance child has a flag of its own: the parent's
--   does not count for a query that names the child.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER TABLE {object} ENABLE ROW LEVEL SECURITY;
--   {force}
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {object} LIMIT 5; -- rows of everybody
--   ROLLBACK;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
SELECT
    t.object,
    CASE
        WHEN EXISTS (SELECT FROM hk_policy AS p WHERE p.table_oid = t.oid)
            THEN 'row-level security is off, so that its policies lie dormant'
        ELSE 'row-level security is off'
    END AS detail,
    r.role,
    coalesce(
        f.statements, pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', t.object)
    ) AS force
FROM hk_table AS t
LEFT JOIN hk_forcing AS f ON t.oid = f.oid
LEFT JOIN hk_reader AS r ON t.oid = r.oid
WHERE
    NOT t.row_security
    AND t.oid NOT IN (SELECT o.table_oid FROM hk_public_to_read AS o WHERE o.table_oid IS NOT NULL)
