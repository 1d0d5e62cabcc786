-- The protected tables, and who may do what with them.
-- What belongs to an extension is not the project's to change.
hk_extension_member AS (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d
    -- By what the index of pg_depend knows: it has rows for everything, and few are of extensions.
    WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
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
        c.relacl AS acl,
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
-- Every privilege that a grant gives on them, on the table (attnum 0) or on a column.
hk_table_grant (oid, attnum, privilege, grantee) AS (
    SELECT t.oid, 0::smallint, g.privilege_type, g.grantee
    FROM hk_any_table AS t
    CROSS JOIN LATERAL pg_catalog.aclexplode(t.acl) AS g
    WHERE g.grantee <> t.owner
    UNION ALL
    SELECT t.oid, a.attnum, g.privilege_type, g.grantee
    FROM hk_any_table AS t
    INNER JOIN pg_catalog.pg_attribute AS a ON t.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND g.grantee <> t.owner
),
-- The same for each untrusted role: granted to it, to a role that it reaches, or to PUBLIC (0).
hk_access AS (
    SELECT g.oid, g.attnum, g.privilege, g.grantee, h.role, h.role_object
    FROM hk_table_grant AS g
    INNER JOIN hk_reach AS h ON g.grantee = h.oid
    UNION ALL
    SELECT g.oid, g.attnum, g.privilege, g.grantee, r.oid, r.object
    FROM hk_table_grant AS g
    CROSS JOIN hk_declared_role AS r
    WHERE g.grantee = 0
),
-- The same for the tables in scope, with the grantee as one would type it.
hk_table_privilege AS (
    SELECT DISTINCT
        t.object,
        a.privilege,
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee,
        l.fix
    FROM hk_access AS a
    INNER JOIN hk_table AS t ON a.oid = t.oid
    LEFT JOIN pg_catalog.pg_roles AS r ON a.grantee = r.oid
    LEFT JOIN hk_lent AS l ON a.grantee = l.oid
),
-- One of the untrusted roles that read a table, to look with.
hk_reader AS (
    SELECT a.oid, pg_catalog.min(a.role_object) AS role
    FROM hk_access AS a
    WHERE a.privilege = 'SELECT'
    GROUP BY a.oid
),
-- Who of the untrusted may write to a table, and to which columns (0: to all of them).
hk_writer AS (
    SELECT
        a.oid,
        pg_catalog.array_agg(DISTINCT a.attnum) AS attnums,
        pg_catalog.string_agg(DISTINCT a.role_object, ', ') AS roles
    FROM hk_access AS a
    WHERE a.privilege IN ('INSERT', 'UPDATE')
    GROUP BY a.oid
),
-- Tables that an untrusted role can use in any way.
hk_reachable_table AS (
    SELECT a.oid FROM hk_access AS a
    UNION
    SELECT t.oid FROM hk_any_table AS t WHERE t.owner IN (SELECT h.oid FROM hk_reach AS h)
    UNION
    SELECT t.oid
    FROM hk_any_table AS t
    WHERE EXISTS (
        SELECT FROM hk_reach AS h
        INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
        WHERE r.rolsuper OR r.rolname IN ('pg_read_all_data', 'pg_write_all_data')
    )
),
hk_table AS (
    SELECT t.* FROM hk_any_table AS t
    WHERE NOT {unfinished}::boolean OR t.oid IN (SELECT r.oid FROM hk_reachable_table AS r)
),
-- How row-level security is forced on a table without breaking what inserts into it as its owner:
-- a SECURITY DEFINER function, such as the trigger by which somebody signs up.
hk_forcing AS (
    SELECT
        t.oid,
        pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', t.object)
        || CASE
            WHEN w.functions IS NULL THEN ''
            ELSE E'\n' || pg_catalog.format(
                'CREATE POLICY owner_inserts ON %s FOR INSERT TO %I WITH CHECK (true);'
                || ' -- for %s, which inserts as its owner',
                t.object,
                r.rolname,
                w.functions
            )
        END AS statements
    FROM hk_table AS t
    INNER JOIN pg_catalog.pg_roles AS r ON t.owner = r.oid
    LEFT JOIN hk_owner_inserts AS w
        ON
            t.owner = w.owner
            AND pg_catalog.lower(t.name) = w.word
            AND NOT (r.rolsuper OR r.rolbypassrls)
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_policy AS p
                WHERE
                    p.polrelid = t.oid
                    AND p.polpermissive
                    AND p.polcmd IN ('a', '*')
                    AND p.polroles && ARRAY[0::oid, t.owner]
            )
    WHERE NOT t.forced
),
-- The words of such functions, which the names of tables are among.
hk_owner_inserts AS (
    SELECT
        f.proowner AS owner,
        w.word,
        pg_catalog.string_agg(DISTINCT f.oid::pg_catalog.regprocedure::text, ', ') AS functions
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(
        pg_catalog.lower(f.prosrc), '[^[:alnum:]_$]+'
    ) AS w (word)
    WHERE
        f.prosecdef
        AND f.prosrc ~* '\minsert\M'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    GROUP BY f.proowner, w.word
)
