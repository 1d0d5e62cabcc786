-- title: A permissive policy is for PUBLIC
-- level: warning
-- why: a policy without TO counts for every role, also for those that are made tomorrow. One
--   GRANT to a new role then opens the table by a policy that nobody wrote for it.
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
SELECT
    p.object,
    'it counts for every role, also for those to come' AS detail,
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
WHERE
    p.roles @> ARRAY[0::oid]
    AND coalesce(pg_catalog.pg_get_expr(p.polqual, p.table_oid), '') <> 'false'
