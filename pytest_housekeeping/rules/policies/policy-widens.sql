-- title: A permissive policy widens the one that it was meant to narrow
-- level: error
-- why: permissive policies are joined by OR. One that only looks at a property of the row, such
--   as NOT deleted, beside one that compares the identity, shows the rows of every tenant that
--   have this property.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
--   CREATE POLICY {name} ON {table} AS RESTRICTIVE FOR {command} TO {roles} USING ({expression});
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL, gone boolean NOT NULL);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_tripwire TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role} USING (NOT gone);
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL, gone boolean NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY present ON {schema}.hk_good AS RESTRICTIVE TO {role} USING (NOT gone);
SELECT DISTINCT
    p.object,
    pg_catalog.format(
        'it is joined by OR to %s: every row with %s is let through',
        pg_catalog.string_agg(DISTINCT o.object, ', '),
        pg_catalog.pg_get_expr(p.polqual, p.table_oid)
    ) AS detail,
    pg_catalog.format('%I', p.name) AS name,
    p.table_object AS table,
    CASE p.command
        WHEN 'r' THEN 'SELECT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL'
    END AS command,
    p.role_objects AS roles,
    pg_catalog.pg_get_expr(p.polqual, p.table_oid) AS expression
FROM (
    -- Joined by role alone, every policy would meet every other one.
    SELECT f.*, b.role
    FROM hk_policy_role AS b
    INNER JOIN hk_opening AS f ON b.policy_oid = f.oid
    OFFSET 0
) AS p
INNER JOIN (
    SELECT f.oid, f.object, f.table_oid, f.command, b.role
    FROM hk_policy_role AS b
    INNER JOIN hk_policy_fact AS f ON b.policy_oid = f.oid
    OFFSET 0
) AS o ON p.role = o.role AND p.table_oid = o.table_oid
INNER JOIN hk_identity AS i ON o.oid = i.policy_oid AND i.permissive AND i.in_using
WHERE
    p.oid <> o.oid
    -- What of these rows is public, the proofs look at.
    AND NOT (
        p.command = 'r' AND EXISTS (SELECT FROM hk_public AS u WHERE u.table_oid = p.table_oid)
    )
    AND p.polqual IS NOT NULL
    AND (p.command = '*' OR o.command = '*' OR p.command = o.command)
    AND p.oid IN (SELECT c.policy_oid FROM hk_policy_column AS c)
    AND p.oid NOT IN (
        SELECT d.policy_oid FROM hk_policy_depends AS d
        WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    )
    AND p.polqual::text !~ '\{(SUBLINK|SQLVALUEFUNCTION|PARAM)\M'
    AND pg_catalog.pg_get_expr(p.polqual, p.table_oid) !~* '\m(current_setting|pg_has_role)\('
    AND pg_catalog.pg_get_expr(p.polqual, p.table_oid) !~ ' (AND|OR) false\)+$'
GROUP BY p.object, p.table_oid, p.polqual, p.name, p.table_object, p.command, p.role_objects
