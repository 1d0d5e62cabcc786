-- title: A policy reads its own table
-- level: error
-- why: to read the table PostgreSQL applies the policy, which reads the table: every query ends
--   with 42P17, infinite recursion. The usual repair, a SECURITY DEFINER function or switching
--   row-level security off, is what opens the table.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
--   -- and compare a column of the row itself, or keep the memberships in a table of their own
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {on} LIMIT 1; -- 42P17, infinite recursion
--   ROLLBACK;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL, person text NOT NULL);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role} USING (tenant IN (
--   SELECT m.tenant FROM {schema}.hk_tripwire AS m WHERE m.person = current_user));
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL, person text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role} USING (person = current_user);
WITH RECURSIVE reads (policy_oid, table_oid, relation_oid) AS (
    SELECT r.policy_oid, r.table_oid, r.relation_oid
    FROM hk_policy_reads AS r
    INNER JOIN hk_policy_fact AS p ON r.policy_oid = p.oid
    WHERE p.command IN ('r', '*')
    UNION ALL
    -- Its own table is named in the tree, where pg_depend shows the columns of the row as well.
    SELECT DISTINCT k.policy_oid, k.table_oid, k.table_oid
    FROM hk_clause AS k
    INNER JOIN hk_policy_fact AS p ON k.policy_oid = p.oid
    WHERE
        p.command IN ('r', '*')
        AND pg_catalog.strpos(k.tree, '{SUBLINK ') > 0
        AND pg_catalog.strpos(
            k.tree, pg_catalog.concat(':rtekind 0 :relid ', k.table_oid::text, ' ')
        ) > 0
),

step (from_oid, to_oid) AS (
    SELECT r.table_oid, r.relation_oid
    FROM reads AS r
    INNER JOIN hk_table AS t ON r.table_oid = t.oid
    WHERE t.row_security
    UNION
    SELECT v.view_oid, v.relation_oid FROM hk_view_reads AS v
),

way (from_oid, at_oid) AS (
    SELECT DISTINCT r.table_oid, r.relation_oid FROM reads AS r
    UNION
    SELECT w.from_oid, s.to_oid
    FROM way AS w
    INNER JOIN step AS s ON w.at_oid = s.from_oid
)

SELECT DISTINCT
    p.object,
    CASE
        WHEN r.relation_oid = r.table_oid THEN 'its sub-select reads the table that it is on'
        ELSE pg_catalog.format(
            'it reads %s, whose policies lead back to its own table',
            r.relation_oid::pg_catalog.regclass
        )
    END AS detail,
    u.role
FROM reads AS r
INNER JOIN hk_policy_fact AS p ON r.policy_oid = p.oid
INNER JOIN hk_table AS t ON r.table_oid = t.oid
LEFT JOIN hk_reader AS u ON r.table_oid = u.oid
WHERE
    t.row_security
    AND (
        r.relation_oid = r.table_oid
        OR EXISTS (
            SELECT FROM way AS w
            WHERE
                w.from_oid = r.table_oid
                AND w.at_oid = r.table_oid
                AND EXISTS (
                    SELECT FROM step AS s
                    LEFT JOIN way AS back ON s.to_oid = back.from_oid AND back.at_oid = r.table_oid
                    WHERE
                        s.from_oid = r.relation_oid
                        AND (s.to_oid = r.table_oid OR back.at_oid IS NOT NULL)
                )
        )
    )
