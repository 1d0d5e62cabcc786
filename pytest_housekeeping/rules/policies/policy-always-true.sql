-- title: A policy is true for every row
-- level: error
-- why: permissive policies are joined by OR: one that is always true switches row-level
--   security off for its command and its roles, whatever the others say.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
--   -- and write one that compares a column with the identity, or make it AS RESTRICTIVE
-- examines: hk_policy
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire FORCE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role} USING (true);
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY shut ON {schema}.hk_good FOR DELETE USING (false);
WITH clause AS (
    SELECT p.oid, 'USING' AS name, p.using_expression AS expression, p.polqual::text AS tree
    FROM hk_policy AS p
    WHERE p.polqual IS NOT NULL
    UNION ALL
    SELECT p.oid, 'WITH CHECK', p.check_expression, p.polwithcheck::text
    FROM hk_policy AS p
    WHERE p.polwithcheck IS NOT NULL
),

-- A tree without variable, function, sub-select or session value is one constant.
judged AS (
    SELECT
        c.oid,
        c.name,
        c.expression,
        (
            c.tree !~ '\{(VAR|FUNCEXPR|SUBLINK|PARAM|SQLVALUEFUNCTION|COERCEVIAIO)\M'
            AND c.expression !~ '^\(?(false|NOT true|NULL.*)\)?$'
            AND NOT (
                c.expression ~ '^\(([^ ()]+) = ([^ ()]+)\)$'
                AND c.expression !~ '^\(([^ ()]+) = \1\)$'
            )
        )
        OR c.expression ~ '^\((true|\(([^ ()]+) = \2\)) OR '
        OR c.expression ~ ' OR (true|\(([^ ()]+) = \2\))\)$' AS always_true
    FROM clause AS c
)

SELECT
    p.object,
    pg_catalog.format(
        '%s is %s: for %s it is as if row-level security were off',
        pg_catalog.string_agg(
            pg_catalog.format('%s (%s)', j.name, j.expression), ' and ' ORDER BY j.name
        ),
        'true for every row',
        r.roles
    ) AS detail
FROM hk_policy AS p
INNER JOIN judged AS j ON p.oid = j.oid
CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(DISTINCT a.role_object, ', ' ORDER BY a.role_object) AS roles
    FROM hk_policy_role AS a
    WHERE a.policy_oid = p.oid
) AS r
WHERE
    p.permissive
    AND r.roles IS NOT NULL
    AND j.always_true
    -- PERMISSIVE true beside a RESTRICTIVE condition for the same command and roles is sound.
    AND NOT EXISTS (
        SELECT FROM hk_policy AS other
        WHERE
            other.table_oid = p.table_oid
            AND NOT other.permissive
            AND other.command IN ('*', p.command)
            AND (other.roles @> ARRAY[0::oid] OR other.roles @> p.roles)
            AND EXISTS (
                SELECT FROM judged AS k
                WHERE
                    k.oid = other.oid
                    AND NOT k.always_true
                    AND k.name = CASE WHEN p.command = 'a' THEN k.name ELSE 'USING' END
            )
    )
GROUP BY p.object, r.roles
