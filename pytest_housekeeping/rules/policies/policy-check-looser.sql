-- title: WITH CHECK admits what USING hides
-- level: error
-- why: USING says which rows are seen, WITH CHECK which may be written. A check that leaves out
--   the column which USING compares with the identity lets an attacker write rows as another
--   tenant, or hand rows over to one.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: ALTER POLICY {object} WITH CHECK ({expression});
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
--   -- what WITH CHECK admits and USING hides can be written, and is then another's row
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL, note text);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role}
--   USING (tenant = current_setting('hk.tenant', true)) WITH CHECK (note <> '');
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL, gone boolean);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true) AND NOT gone)
--   WITH CHECK (tenant = current_setting('hk.tenant', true));
WITH compared AS (
    SELECT i.policy_oid, i.table_oid, i.command, i.name, i.in_using, i.in_check, a.role
    FROM hk_identity AS i
    INNER JOIN hk_policy_role AS a ON i.policy_oid = a.policy_oid
    WHERE i.permissive
),

written AS (
    SELECT DISTINCT p.oid, p.table_oid, p.object, p.table_object, p.polqual, p.polwithcheck
    FROM hk_opening AS p
    WHERE p.command IN ('a', 'w', '*') AND p.polwithcheck IS NOT NULL
),

-- What its own USING compares, WITH CHECK must compare too.
lost AS (
    SELECT w.oid, pg_catalog.string_agg(DISTINCT c.name::text, ', ') AS names
    FROM written AS w
    INNER JOIN compared AS c ON w.oid = c.policy_oid
    WHERE c.in_using AND c.in_check IS NOT TRUE
    GROUP BY w.oid
),

-- Without a USING of its own, it must compare a column by which the rows are seen.
astray AS (
    SELECT w.oid, pg_catalog.string_agg(DISTINCT c.name::text, ', ') AS names
    FROM written AS w
    INNER JOIN hk_policy_role AS a ON w.oid = a.policy_oid
    INNER JOIN compared AS c ON w.table_oid = c.table_oid AND a.role = c.role
    WHERE
        w.polqual IS NULL
        AND c.command IN ('r', '*')
        AND c.in_using
        AND NOT EXISTS (
            SELECT FROM hk_policy_column AS k
            INNER JOIN compared AS o ON k.table_oid = o.table_oid
            INNER JOIN pg_catalog.pg_attribute AS t
                ON k.table_oid = t.attrelid AND k.attnum = t.attnum
            WHERE k.policy_oid = w.oid AND o.in_using AND o.name = t.attname
        )
    GROUP BY w.oid
)

SELECT
    w.object,
    pg_catalog.format(
        'rows are seen by %s, which WITH CHECK (%s) does not compare',
        coalesce(l.names, s.names),
        pg_catalog.pg_get_expr(w.polwithcheck, w.table_oid)
    ) AS detail,
    coalesce(pg_catalog.pg_get_expr(w.polqual, w.table_oid), '<column> = <the identity>') AS expression
FROM written AS w
LEFT JOIN lost AS l ON w.oid = l.oid
LEFT JOIN astray AS s ON w.oid = s.oid
WHERE CASE
    -- In this order: printing an expression costs more than all the rest.
    WHEN coalesce(l.names, s.names) IS NOT NULL
        THEN pg_catalog.pg_get_expr(w.polwithcheck, w.table_oid) <> 'false'
END
