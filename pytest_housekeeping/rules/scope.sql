-- What every rule's query may select from: the declared part of the catalog, read once.
-- {schemas}, {roles} and the like are filled in by the engine as literals.
hk_declared (schemas, roles, reachable_only) AS (
    SELECT {schemas}::text[], {roles}::text[], {reachable_only}::boolean
),
-- The protected schemas.
hk_schema AS (
    SELECT n.oid, n.nspname AS name, n.nspowner AS owner, pg_catalog.format('%I', n.nspname) AS object
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY ({schemas}::text[])
),
-- The untrusted roles.
hk_role AS (
    SELECT r.oid, r.rolname AS name, pg_catalog.format('%I', r.rolname) AS object
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = ANY ({roles}::text[])
),
-- What an untrusted role is or can become: itself and every role it is a member of.
hk_reach (role, role_object, oid) AS (
    SELECT r.oid, r.object, r.oid FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, m.roleid
    FROM hk_reach AS h
    INNER JOIN pg_catalog.pg_auth_members AS m ON h.oid = m.member
),
-- What belongs to an extension is not the project's to change.
hk_extension_member AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend AS d WHERE d.deptype = 'e'
),
-- Every ordinary and partitioned table in the protected schemas, partitions by their own name.
hk_any_table AS (
    SELECT
        c.oid,
        c.relnamespace AS schema_oid,
        s.name AS schema,
        c.relname AS name,
        pg_catalog.format('%I.%I', s.name, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        c.relrowsecurity AS row_security,
        c.relforcerowsecurity AS forced,
        c.relispartition AS is_partition
    FROM hk_schema AS s
    INNER JOIN pg_catalog.pg_class AS c ON s.oid = c.relnamespace
    WHERE
        c.relkind IN ('r', 'p')
        AND (c.oid) NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        )
),
-- Tables on which an untrusted role holds any privilege, by itself, by membership or by PUBLIC.
hk_reachable_table AS (
    SELECT t.oid
    FROM hk_any_table AS t
    WHERE EXISTS (
        SELECT FROM hk_reach AS h
        WHERE
            pg_catalog.has_table_privilege(
                h.oid, t.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'
            )
            OR pg_catalog.has_any_column_privilege(
                h.oid, t.oid, 'SELECT, INSERT, UPDATE, REFERENCES'
            )
    )
),
hk_table AS (
    SELECT t.* FROM hk_any_table AS t
    WHERE NOT {reachable_only}::boolean OR t.oid IN (SELECT r.oid FROM hk_reachable_table AS r)
),
hk_policy AS (
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
        p.polwithcheck,
        pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using_expression,
        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
    FROM hk_table AS t
    INNER JOIN pg_catalog.pg_policy AS p ON t.oid = p.polrelid
),
-- Which policy counts for which untrusted role: named, by membership, or for PUBLIC (0).
hk_policy_role AS (
    SELECT DISTINCT p.oid AS policy_oid, h.role, h.role_object
    FROM hk_policy AS p
    CROSS JOIN LATERAL pg_catalog.unnest(p.roles) AS named (oid)
    INNER JOIN hk_reach AS h ON named.oid IN (0, h.oid)
),
-- Views, wherever they stand, that read a protected table, directly or through other views.
hk_view_reads (view_oid, relation_oid) AS (
    SELECT DISTINCT w.ev_class, d.refobjid
    FROM pg_catalog.pg_rewrite AS w
    INNER JOIN pg_catalog.pg_depend AS d ON w.oid = d.objid
    WHERE
        d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid <> w.ev_class
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
            NOT {reachable_only}::boolean
            OR EXISTS (
                SELECT FROM hk_reach AS h
                WHERE
                    pg_catalog.has_table_privilege(h.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                    OR pg_catalog.has_any_column_privilege(h.oid, c.oid, 'SELECT, INSERT, UPDATE')
            )
        )
),
-- Functions of the protected schemas, and those elsewhere that an untrusted role may call.
hk_function AS (
    SELECT
        f.oid,
        n.nspname AS schema,
        f.proname AS name,
        pg_catalog.format(
            '%I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ) AS object,
        f.proowner AS owner,
        f.prosecdef AS security_definer,
        f.proconfig AS settings,
        f.prokind AS kind
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE
        n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname NOT LIKE 'pg\_%'
        AND f.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
        AND (
            f.pronamespace IN (SELECT s.oid FROM hk_schema AS s)
            OR EXISTS (
                SELECT FROM hk_reach AS h
                WHERE
                    pg_catalog.has_schema_privilege(h.oid, f.pronamespace, 'USAGE')
                    AND pg_catalog.has_function_privilege(h.oid, f.oid, 'EXECUTE')
            )
        )
),
-- Boundaries: the roles of the contract's source, and what they are or can become.
hk_source_role AS (
    SELECT r.oid, r.rolname AS name, pg_catalog.format('%I', r.rolname) AS object
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = ANY ({source_roles}::text[])
),
hk_source_reach (role, role_object, oid) AS (
    SELECT r.oid, r.object, r.oid FROM hk_source_role AS r
    UNION
    SELECT h.role, h.role_object, m.roleid
    FROM hk_source_reach AS h
    INNER JOIN pg_catalog.pg_auth_members AS m ON h.oid = m.member
),
-- Who receives a grant, as one types it.
hk_grantee AS (
    SELECT DISTINCT h.oid, pg_catalog.format('%I', r.rolname) AS object
    FROM hk_source_reach AS h
    INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
    UNION ALL
    SELECT 0::oid, 'PUBLIC'
),
hk_target_role AS (
    SELECT r.oid, r.rolname AS name, pg_catalog.format('%I', r.rolname) AS object
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = ANY ({target_roles}::text[])
),
hk_target_schema AS (
    SELECT
        n.oid,
        n.nspname AS name,
        n.nspowner AS owner,
        n.nspacl AS acl,
        pg_catalog.format('%I', n.nspname) AS object
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY ({target_schemas}::text[])
),
-- A table that another app or zone declares by name belongs to that one.
hk_claimed AS (
    SELECT pg_catalog.to_regclass(claimed.name)::oid AS oid
    FROM pg_catalog.unnest({claimed_tables}::text[]) AS claimed (name)
),
hk_named AS (
    SELECT pg_catalog.to_regclass(named.name)::oid AS oid
    FROM pg_catalog.unnest({target_tables}::text[]) AS named (name)
),
hk_target_relation AS (
    SELECT
        c.oid,
        n.nspname AS schema,
        c.relname AS name,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        c.relacl AS acl
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND (
            EXISTS (SELECT FROM hk_named AS t WHERE c.oid = t.oid)
            OR EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                INNER JOIN hk_named AS t ON d.refobjid = t.oid
                WHERE
                    d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid
                    AND d.deptype IN ('a', 'i')
                    AND c.relkind = 'S'
            )
            OR (
                c.relnamespace IN (SELECT s.oid FROM hk_target_schema AS s)
                AND NOT EXISTS (SELECT FROM hk_claimed AS t WHERE c.oid = t.oid)
            )
        )
),
hk_target_function AS (
    SELECT
        f.oid,
        f.pronamespace AS schema_oid,
        n.nspname AS schema,
        f.proname AS name,
        pg_catalog.format(
            '%I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ) AS object,
        f.proowner AS owner,
        f.proacl AS acl
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE f.pronamespace IN (SELECT s.oid FROM hk_target_schema AS s)
),
hk_target_owner (oid, object) AS (
    SELECT s.owner, 'schema ' || s.object FROM hk_target_schema AS s
    UNION ALL
    SELECT r.owner, r.object FROM hk_target_relation AS r
    UNION ALL
    SELECT f.owner, f.object FROM hk_target_function AS f
),
-- Every privilege on a relation of the target that a grant gives to the source or to PUBLIC.
hk_target_grant AS (
    SELECT r.oid, r.object, r.relkind, g.grantee, e.object AS grantee_object, g.privilege_type AS privilege
    FROM hk_target_relation AS r
    CROSS JOIN LATERAL pg_catalog.aclexplode(r.acl) AS g
    INNER JOIN hk_grantee AS e ON g.grantee = e.oid
    WHERE g.grantee <> r.owner
    UNION ALL
    SELECT
        r.oid,
        r.object,
        r.relkind,
        g.grantee,
        e.object,
        pg_catalog.format('%s (%I)', g.privilege_type, a.attname)
    FROM hk_target_relation AS r
    INNER JOIN pg_catalog.pg_attribute AS a ON r.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    INNER JOIN hk_grantee AS e ON g.grantee = e.oid
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND g.grantee <> r.owner
)
