-- title: A permissive policy is for PUBLIC
-- level: warning
-- why: a policy without TO counts for every role, also for those that are made tomorrow. One
--   GRANT to a new role then opens the table by a policy that nobody wrote for it. Where another
--   role holds a privilege on the table already, and no policy names it, it is let in today, and
--   sets the context as it likes: that is an error.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: ALTER POLICY {object} TO {roles};
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire
--   USING (tenant = current_setting('hk.tenant', true));
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL, gone boolean);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY present ON {schema}.hk_good AS RESTRICTIVE USING (NOT gone);
WITH let_in AS (
    SELECT
        g.oid,
        pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rolname), ', ') AS roles
    FROM hk_table_grant AS g
    INNER JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
    INNER JOIN pg_catalog.pg_class AS c ON g.oid = c.oid
    WHERE
        g.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        AND NOT (r.rolsuper OR r.rolbypassrls)
        AND r.rolname <> current_user
        AND r.oid NOT IN (SELECT h.oid FROM hk_reach AS h)
        AND r.oid NOT IN (SELECT m.oid FROM hk_member AS m)
        AND pg_catalog.has_schema_privilege(r.oid, c.relnamespace, 'USAGE')
        -- Who has a policy is let in by that one.
        AND NOT EXISTS (
            SELECT FROM hk_policy_fact AS f
            INNER JOIN hk_policy_named AS n ON f.oid = n.policy_oid
            WHERE f.table_oid = g.oid AND f.permissive AND n.named = r.oid
        )
    GROUP BY g.oid
)

SELECT
    p.object,
    'it counts for every role, also for those to come'
    || coalesce('; today it lets in ' || i.roles || ', which no policy names', '') AS detail,
    CASE WHEN i.roles IS NULL THEN 'warning' ELSE 'error' END AS level,
    -- Whom it was written for holds a privilege on the table: the others stay outside.
    coalesce(g.roles, p.role_objects) AS roles
FROM hk_opening AS p
LEFT JOIN (
    SELECT
        a.oid,
        pg_catalog.string_agg(DISTINCT a.role_object, ', ' ORDER BY a.role_object) AS roles
    FROM hk_access AS a
    WHERE
        a.grantee <> 0
        AND (a.grantee = a.role OR a.grantee NOT IN (SELECT l.oid FROM hk_lent AS l))
    GROUP BY a.oid
) AS g ON p.table_oid = g.oid
LEFT JOIN let_in AS i
    ON
        p.table_oid = i.oid
        AND NOT (p.command = 'r' AND p.table_oid IN (SELECT u.table_oid FROM hk_public AS u))
WHERE
    p.roles @> ARRAY[0::oid]
    AND coalesce(pg_catalog.pg_get_expr(p.polqual, p.table_oid), '') <> 'false'
