-- title: A policy looks at no column of its table
-- level: error
-- why: a condition that asks only about the session is true for all rows or for none. Whoever
--   makes it true, with SET or by being the right user, has the rows of every tenant.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
--   -- and write one that compares a column with the identity, or make it AS RESTRICTIVE
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {on} LIMIT 5; -- all rows or none, whose they are is not asked
--   ROLLBACK;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role}
--   USING (current_setting('hk.tenant', true) <> '');
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY asked ON {schema}.hk_good AS RESTRICTIVE
--   USING (current_setting('hk.tenant', true) <> '');
WITH bare AS (
    SELECT p.* FROM hk_opening AS p
    WHERE p.oid NOT IN (SELECT c.policy_oid FROM hk_policy_column AS c)
)

SELECT
    p.object,
    pg_catalog.format(
        'for %s it is true for every row or for none: %s',
        p.role_objects,
        pg_catalog.concat_ws(
            ' WITH CHECK ',
            pg_catalog.pg_get_expr(p.polqual, p.table_oid),
            pg_catalog.pg_get_expr(p.polwithcheck, p.table_oid)
        )
    ) AS detail
FROM bare AS p
CROSS JOIN LATERAL (
    SELECT pg_catalog.concat(p.polqual::text, p.polwithcheck::text) AS nodes
) AS t
WHERE
    -- What of these rows is public, the proofs look at.
    NOT (p.command = 'r' AND EXISTS (SELECT FROM hk_public AS u WHERE u.table_oid = p.table_oid))
    -- A constant is another rule's; a whole row stands for all columns.
    AND t.nodes ~ '\{(FUNCEXPR|SUBLINK|SQLVALUEFUNCTION|PARAM|COERCEVIAIO)\M'
    AND t.nodes !~ '\{VAR :varno 1 :varattno 0 '
