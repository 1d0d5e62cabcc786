-- title: A privilege is granted that no policy lets anybody use
-- level: error
-- why: row-level security without a permissive policy shows no row to anybody. Where an
--   untrusted role holds a privilege on the table, either its policy was lost, and the next
--   hasty repair will be to switch row-level security off, or the grant is too much. A table
--   without such a grant is closed on purpose; a partition is read through its parent.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: REVOKE ALL ON {object} FROM {grantees};
--   -- or, where they are meant to use it, a policy that compares a column with the identity
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT count(*) FROM {object}; -- none, whatever is in it
--   ROLLBACK;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire FORCE ROW LEVEL SECURITY;
--   GRANT SELECT ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT ON {schema}.hk_good TO {role};
SELECT
    t.object,
    pg_catalog.format(
        'row-level security is on and no permissive policy exists: it is shut for %s', g.roles
    ) AS detail,
    g.grantees,
    g.role
FROM hk_table AS t
INNER JOIN (
    SELECT
        a.oid,
        pg_catalog.min(a.role_object) AS role,
        pg_catalog.string_agg(DISTINCT a.role_object, ', ') AS roles,
        pg_catalog.string_agg(
            DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', '
        ) AS grantees
    FROM hk_access AS a
    LEFT JOIN pg_catalog.pg_roles AS r ON a.grantee = r.oid
    WHERE a.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    GROUP BY a.oid
) AS g ON t.oid = g.oid
WHERE
    t.row_security
    AND NOT t.is_partition
    AND NOT EXISTS (SELECT FROM hk_policy_fact AS p WHERE p.table_oid = t.oid AND p.permissive)
