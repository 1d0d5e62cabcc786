-- title: A privilege is granted that no policy lets anybody use
-- level: error
-- why: row-level security without a permissive policy shows no row to anybody. Where an
--   untrusted role holds a privilege on the table, either its policy was lost or the grant is
--   too much. A partition may stay closed: it is read through its parent.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: CREATE POLICY tenant_isolation ON {object} USING (tenant_id = <the identity>);
--   -- or, where nobody is meant to use it: REVOKE ALL ON {object} FROM PUBLIC, {grantees};
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire FORCE ROW LEVEL SECURITY;
--   GRANT SELECT ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT ON {schema}.hk_good TO {role};
SELECT
    t.object,
    pg_catalog.format(
        'row-level security is on and no permissive policy exists: it is shut for %s', g.grantees
    ) AS detail,
    g.grantees
FROM hk_table AS t
CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(DISTINCT h.role_object, ', ' ORDER BY h.role_object) AS grantees
    FROM hk_reach AS h
    WHERE
        pg_catalog.has_table_privilege(h.oid, t.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR pg_catalog.has_any_column_privilege(h.oid, t.oid, 'SELECT, INSERT, UPDATE')
) AS g
WHERE
    t.row_security
    AND NOT t.is_partition
    AND g.grantees IS NOT NULL
    AND NOT EXISTS (SELECT FROM hk_policy AS p WHERE p.table_oid = t.oid AND p.permissive)
