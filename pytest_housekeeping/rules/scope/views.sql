-- Views over protected tables, and relations outside of the protected schemas.
-- Views, wherever they stand, that read a protected table, directly or through other views.
hk_view_reads (view_oid, relation_oid) AS (
    SELECT DISTINCT w.ev_class, d.refobjid
    FROM pg_catalog.pg_rewrite AS w
    INNER JOIN pg_catalog.pg_depend AS d ON w.oid = d.objid
    WHERE
        d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid <> w.ev_class
        -- What its other rules read or write, they do for themselves: rule-as-owner.
        AND w.ev_type = '1'
),
hk_view_over (oid) AS (
    SELECT t.oid FROM hk_any_table AS t
    UNION
    SELECT r.view_oid FROM hk_view_over AS o INNER JOIN hk_view_reads AS r ON o.oid = r.relation_oid
),
hk_view AS (
    SELECT
        c.oid,
        n.nspname AS schema,
        c.relname AS name,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        EXISTS (
            SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
            WHERE o.option_name = 'security_invoker' AND o.option_value::boolean
        ) AS security_invoker
    FROM hk_view_over AS v
    INNER JOIN pg_catalog.pg_class AS c ON v.oid = c.oid
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('v', 'm')
        AND (
            NOT {unfinished}::boolean
            OR EXISTS (
                SELECT FROM hk_reach AS h
                WHERE
                    pg_catalog.has_table_privilege(h.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                    OR pg_catalog.has_any_column_privilege(h.oid, c.oid, 'SELECT, INSERT, UPDATE')
            )
        )
),
-- Who of the untrusted may do what with the other relations: those in the protected schemas,
-- and views elsewhere that read protected tables.
hk_relation_grant AS (
    SELECT DISTINCT
        c.oid,
        c.relkind,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        g.privilege,
        CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', r.rolname) END AS grantee,
        l.fix
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    CROSS JOIN LATERAL (
        SELECT e.privilege_type AS privilege, e.grantee
        FROM pg_catalog.aclexplode(c.relacl) AS e
        UNION ALL
        SELECT e.privilege_type, e.grantee
        FROM pg_catalog.pg_attribute AS a
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS e
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    ) AS g
    LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
    LEFT JOIN hk_lent AS l ON g.grantee = l.oid
    WHERE
        c.relkind IN ('v', 'm', 'f', 'S')
        AND g.grantee <> c.relowner
        AND (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
        AND (
            c.relnamespace IN (SELECT s.oid FROM hk_schema AS s)
            OR c.oid IN (SELECT v.oid FROM hk_view_over AS v)
            OR c.relkind = 'f'
        )
),
-- Relations outside the protected schemas that are neither PostgreSQL's nor an extension's.
hk_outside AS (
    SELECT
        c.oid,
        c.relnamespace AS schema_oid,
        c.relname AS name,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        c.relacl AS acl,
        c.relrowsecurity AS row_security
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('r', 'p', 'v', 'm')
        AND c.relpersistence <> 't'
        AND c.oid >= 16384
        AND c.relnamespace NOT IN (SELECT s.oid FROM hk_schema AS s)
        AND c.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        )
),
-- What an untrusted role may do with them, where it may enter the schema.
hk_outside_grant (oid, privilege, grantee) AS (
    SELECT o.oid, g.privilege_type, g.grantee
    FROM hk_outside AS o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
    UNION ALL
    SELECT o.oid, g.privilege_type, g.grantee
    FROM hk_outside AS o
    INNER JOIN pg_catalog.pg_attribute AS a ON o.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT o.oid, p.privilege, o.owner
    FROM hk_outside AS o
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (privilege)
    WHERE o.owner IN (SELECT h.oid FROM hk_reach AS h)
),
hk_outside_access AS (
    SELECT DISTINCT g.oid, g.privilege, g.grantee, h.role, h.role_object
    FROM hk_outside_grant AS g
    INNER JOIN hk_outside AS o ON g.oid = o.oid
    INNER JOIN hk_reach AS h
        ON g.grantee = h.oid OR (g.grantee = 0 AND h.oid = h.role AND NOT h.login)
    INNER JOIN hk_entered AS e ON o.schema_oid = e.oid AND h.role = e.role
),
-- The schemas that an untrusted role may enter.
hk_entered AS (
    SELECT DISTINCT n.oid, h.role
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN hk_reach AS h
    WHERE pg_catalog.has_schema_privilege(h.oid, n.oid, 'USAGE')
)
