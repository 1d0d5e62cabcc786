-- Policies: for whom they count, what they look at, and which were declared.
hk_policy AS (
    SELECT
        f.*,
        pg_catalog.pg_get_expr(f.polqual, f.table_oid) AS using_expression,
        pg_catalog.pg_get_expr(f.polwithcheck, f.table_oid) AS check_expression
    FROM hk_policy_fact AS f
),
-- Without the text of the expressions, which takes PostgreSQL longer than all the rest.
hk_policy_fact AS (
    SELECT
        p.oid,
        p.polrelid AS table_oid,
        p.polname AS name,
        pg_catalog.format('%I ON %s', p.polname, t.object) AS object,
        t.object AS table_object,
        p.polcmd AS command,
        p.polpermissive AS permissive,
        p.polroles AS roles,
        p.polqual,
        p.polwithcheck
    FROM hk_table AS t
    INNER JOIN pg_catalog.pg_policy AS p ON t.oid = p.polrelid
),
-- Which policy counts for which untrusted role: named, by membership, or for PUBLIC (0).
hk_policy_role AS (
    SELECT n.policy_oid, h.role, h.role_object
    FROM hk_policy_named AS n
    INNER JOIN hk_reach AS h ON n.named = h.oid
    UNION
    SELECT n.policy_oid, r.oid, r.object
    FROM hk_policy_named AS n
    CROSS JOIN hk_declared_role AS r
    WHERE n.named = 0
),
-- Of the policies of every table: a key may point out of the protected schemas.
hk_policy_named (policy_oid, named) AS (
    SELECT p.oid, pg_catalog.unnest(p.polroles) FROM pg_catalog.pg_policy AS p
),
-- Policies that let rows through to an untrusted role, with the names of these roles.
hk_opening AS (
    SELECT p.*, r.role_objects
    FROM hk_policy_fact AS p
    INNER JOIN (
        SELECT
            a.policy_oid,
            pg_catalog.string_agg(a.role_object, ', ' ORDER BY a.role_object) AS role_objects
        FROM hk_policy_role AS a
        GROUP BY a.policy_oid
    ) AS r ON p.oid = r.policy_oid
    WHERE p.permissive
),
-- One row for each expression of a policy. Many policies share one tree of nodes.
hk_clause AS (
    SELECT p.oid AS policy_oid, p.table_oid, 'USING' AS name, p.polqual::text AS tree
    FROM hk_policy_fact AS p
    WHERE p.polqual IS NOT NULL
    UNION ALL
    SELECT p.oid, p.table_oid, 'WITH CHECK', p.polwithcheck::text
    FROM hk_policy_fact AS p
    WHERE p.polwithcheck IS NOT NULL
),
hk_tree AS (
    SELECT d.tree, pg_catalog.row_number() OVER () AS number
    FROM (SELECT DISTINCT c.tree FROM hk_clause AS c) AS d
),
-- What a policy looks at: pg_depend names what is not PostgreSQL's own.
hk_policy_depends AS (
    SELECT p.oid AS policy_oid, p.table_oid, d.refclassid, d.refobjid, d.refobjsubid
    FROM hk_policy_fact AS p
    INNER JOIN pg_catalog.pg_depend AS d ON p.oid = d.objid
    WHERE
        d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
        AND d.deptype = 'n'
        AND d.refclassid IN (
            'pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
),
-- The columns of its own table, which USING and WITH CHECK may name twice.
hk_policy_column AS (
    SELECT DISTINCT d.policy_oid, d.table_oid, d.refobjsubid AS attnum
    FROM hk_policy_depends AS d
    WHERE d.refobjid = d.table_oid AND d.refobjsubid > 0
),
-- The other relations that it reads.
hk_policy_reads AS (
    SELECT DISTINCT d.policy_oid, d.table_oid, d.refobjid AS relation_oid
    FROM hk_policy_depends AS d
    WHERE
        d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> d.table_oid
),
-- The policies that rls.toml declares.
hk_declared_policy AS (
    SELECT
        d.*,
        pg_catalog.to_regclass(d.table_object)::oid AS table_oid,
        pg_catalog.format('%I ON %s', d.name, d.table_object) AS object,
        pg_catalog.concat_ws(
            ' ',
            CASE WHEN NOT d.permissive THEN 'AS RESTRICTIVE' END,
            'FOR ' || d.command,
            'TO ' || (
                SELECT pg_catalog.string_agg(
                    CASE WHEN r.name = 'public' THEN 'PUBLIC' ELSE pg_catalog.format('%I', r.name) END,
                    ', '
                )
                FROM pg_catalog.unnest(d.roles) AS r (name)
            ),
            'USING (' || d.using_expression || ')',
            'WITH CHECK (' || d.check_expression || ')'
        ) AS definition
    FROM pg_catalog.jsonb_to_recordset({policies}::jsonb) AS d (
        table_object text, name text, command text, permissive boolean, roles text[],
        using_expression text, check_expression text
    )
),
-- The tables of which rls.toml declares rows to be public: those that meet the condition.
hk_public AS (
    SELECT d.rows, pg_catalog.to_regclass(d."table")::oid AS table_oid
    FROM pg_catalog.jsonb_to_recordset({public}::jsonb) AS d ("table" text, rows text)
),
-- Those that everybody may read as a whole, and no untrusted role may write to.
hk_public_to_read AS (
    SELECT p.table_oid
    FROM hk_public AS p
    WHERE
        p.rows = 'true'
        AND p.table_oid NOT IN (
            SELECT a.oid FROM hk_access AS a WHERE a.privilege NOT IN ('SELECT', 'REFERENCES')
        )
)
