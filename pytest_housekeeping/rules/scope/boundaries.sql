-- Boundaries: the source and the target of one contract, and what crosses between them.
-- Boundaries: the roles of the contract's source, and what they and their logins are or can become.
hk_source_role AS (
    SELECT r.* FROM hk_any_role AS r WHERE r.name = ANY ({source_roles}::text[])
),
hk_source_reach (role, role_object, oid, login) AS (
    SELECT r.oid, r.object, r.oid, r.login FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, m.roleid, h.login
    FROM hk_source_reach AS h
    INNER JOIN pg_catalog.pg_auth_members AS m ON h.oid = m.member
    LEFT JOIN hk_edge AS e ON m.member = e.member AND m.roleid = e.roleid
    WHERE NOT h.login OR (NOT e.to_declared AND (e.inherits OR h.role IN (SELECT a.oid FROM hk_within AS a)))
),
-- Who receives a grant, as one types it.
hk_grantee AS (
    SELECT DISTINCT h.oid, pg_catalog.format('%I', r.rolname) AS object
    FROM hk_source_reach AS h
    INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
    UNION ALL
    SELECT 0::oid, 'PUBLIC'
),
hk_source_schema AS (
    SELECT s.* FROM hk_any_schema AS s WHERE s.name = ANY ({source_schemas}::text[])
),
hk_target_role AS (
    SELECT r.* FROM hk_any_role AS r WHERE r.name = ANY ({target_roles}::text[])
),
hk_target_schema AS (
    SELECT s.* FROM hk_any_schema AS s WHERE s.name = ANY ({target_schemas}::text[])
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
-- The text of every function that belongs neither to PostgreSQL nor to an extension.
hk_function_body AS (
    SELECT
        f.oid,
        f.pronamespace AS schema_oid,
        f.oid::pg_catalog.regprocedure::text AS object,
        f.prosecdef AS definer,
        l.lanname AS language,
        f.prosrc AS source
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    WHERE
        f.oid >= 16384
        AND f.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
),
-- Where an object is at home: the schema, and the relation that it is a part of (0: of none).
hk_home (classid, objid, schema_oid, relation_oid) AS (
    SELECT
        'pg_catalog.pg_class'::pg_catalog.regclass::oid,
        c.oid,
        c.relnamespace,
        coalesce(i.indrelid, c.oid)
    FROM pg_catalog.pg_class AS c
    LEFT JOIN pg_catalog.pg_index AS i ON c.oid = i.indexrelid
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, w.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_rewrite AS w INNER JOIN pg_catalog.pg_class AS c ON w.ev_class = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid, d.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_attrdef AS d INNER JOIN pg_catalog.pg_class AS c ON d.adrelid = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, k.oid, k.connamespace, k.conrelid
    FROM pg_catalog.pg_constraint AS k
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::oid, g.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_trigger AS g INNER JOIN pg_catalog.pg_class AS c ON g.tgrelid = c.oid
    WHERE NOT g.tgisinternal
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass::oid, p.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_policy AS p INNER JOIN pg_catalog.pg_class AS c ON p.polrelid = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, f.oid, f.pronamespace, 0::oid
    FROM pg_catalog.pg_proc AS f
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid, t.typnamespace, t.typrelid
    FROM pg_catalog.pg_type AS t
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass::oid, o.oid, o.oprnamespace, 0::oid
    FROM pg_catalog.pg_operator AS o
    UNION ALL
    -- A cast stands in no schema: it belongs to those of its types.
    SELECT DISTINCT 'pg_catalog.pg_cast'::pg_catalog.regclass::oid, k.oid, t.typnamespace, 0::oid
    FROM pg_catalog.pg_cast AS k
    INNER JOIN pg_catalog.pg_type AS t ON t.oid IN (k.castsource, k.casttarget)
    WHERE k.oid >= 16384
),
hk_target_object AS (
    SELECT h.classid, h.objid
    FROM hk_home AS h
    WHERE
        h.relation_oid IN (SELECT r.oid FROM hk_target_relation AS r)
        OR (h.relation_oid = 0 AND h.schema_oid IN (SELECT s.oid FROM hk_target_schema AS s))
),
hk_source_object AS (
    SELECT h.classid, h.objid
    FROM hk_home AS h
    WHERE
        h.schema_oid IN (SELECT s.oid FROM hk_source_schema AS s)
        AND h.relation_oid NOT IN (SELECT r.oid FROM hk_target_relation AS r)
),
-- Relations on neither side that the source may use, and what it sets off there.
hk_used_elsewhere (oid, reads, writes) AS (
    SELECT
        c.oid,
        pg_catalog.bool_or(g.privilege_type = 'SELECT'),
        pg_catalog.bool_or(g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL (
        SELECT g.grantee, g.privilege_type FROM pg_catalog.aclexplode(c.relacl) AS g
        UNION
        SELECT g.grantee, g.privilege_type
        FROM pg_catalog.pg_attribute AS a
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    ) AS g
    INNER JOIN hk_grantee AS e ON g.grantee = e.oid
    WHERE
        c.relkind IN ('r', 'p', 'v', 'm')
        AND c.oid >= 16384
        AND g.grantee <> c.relowner
        AND c.relnamespace NOT IN (SELECT s.oid FROM hk_source_schema AS s)
        AND c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)
    GROUP BY c.oid
),
hk_used_object (classid, objid) AS (
    SELECT h.classid, h.objid
    FROM hk_home AS h INNER JOIN hk_used_elsewhere AS u ON h.relation_oid = u.oid
    UNION ALL
    SELECT h.classid, h.objid
    FROM hk_home AS h
    WHERE
        h.relation_oid = 0
        AND h.objid >= 16384
        AND h.schema_oid NOT IN (SELECT s.oid FROM hk_source_schema AS s)
        AND h.schema_oid NOT IN (SELECT s.oid FROM hk_target_schema AS s)
        AND EXISTS (
            SELECT FROM hk_source_reach AS r
            WHERE pg_catalog.has_schema_privilege(r.oid, h.schema_oid, 'USAGE')
        )
),
-- Objects that cannot do without an object on the other side; outward: the source's, or what it
-- uses elsewhere (NULL).
hk_crossing AS (
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.deptype, true AS outward
    FROM pg_catalog.pg_depend AS d
    INNER JOIN hk_source_object AS s ON d.classid = s.classid AND d.objid = s.objid
    INNER JOIN hk_target_object AS t ON d.refclassid = t.classid AND d.refobjid = t.objid
    UNION ALL
    -- Of rules, which act as the owner of their table, also those of the tables elsewhere.
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.deptype, NULL
    FROM pg_catalog.pg_depend AS d
    INNER JOIN pg_catalog.pg_rewrite AS w
        ON d.objid = w.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    INNER JOIN hk_used_elsewhere AS u ON w.ev_class = u.oid
    INNER JOIN hk_target_object AS t ON d.refclassid = t.classid AND d.refobjid = t.objid
    WHERE w.ev_type <> '1' AND u.writes
    UNION ALL
    -- And rules of the target's tables that write to where the source may read.
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.deptype, false
    FROM pg_catalog.pg_depend AS d
    INNER JOIN hk_target_object AS t ON d.classid = t.classid AND d.objid = t.objid
    INNER JOIN pg_catalog.pg_rewrite AS w
        ON d.objid = w.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    INNER JOIN pg_catalog.pg_class AS c
        ON d.refobjid = c.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.pg_get_ruledef(w.oid) AS text,
            c.oid::pg_catalog.regclass::text AS name
        WHERE w.ev_type <> '1'
    ) AS r
    WHERE
        (
            c.relnamespace IN (SELECT s.oid FROM hk_source_schema AS s)
            OR c.oid IN (SELECT u.oid FROM hk_used_elsewhere AS u WHERE u.reads)
        )
        AND c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)
        AND (
            pg_catalog.strpos(r.text, 'INSERT INTO ' || r.name || ' ') > 0
            OR pg_catalog.strpos(r.text, 'UPDATE ' || r.name || ' ') > 0
        )
    UNION ALL
    -- The other way round only what lets the source act inside the target: a key that refers to
    -- the source, a function of the source's that the target's tables call, and a partition or
    -- child of one of its tables, whose rows the source reads and writes through that.
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.deptype, false
    FROM pg_catalog.pg_depend AS d
    INNER JOIN hk_target_object AS t ON d.classid = t.classid AND d.objid = t.objid
    INNER JOIN hk_source_object AS s ON d.refclassid = s.classid AND d.refobjid = s.objid
    WHERE
        d.classid NOT IN (
            'pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
        AND (
            d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            OR d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
            OR (
                d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.deptype IN ('n', 'a')
                AND (d.objid, d.refobjid) IN (SELECT h.inhrelid, h.inhparent FROM pg_catalog.pg_inherits AS h)
            )
        )
    UNION ALL
    -- And a parent elsewhere that the source may use.
    SELECT
        'pg_catalog.pg_class'::pg_catalog.regclass, a.child, 0,
        'pg_catalog.pg_class'::pg_catalog.regclass, a.parent, 'n', false
    FROM hk_among AS a
    INNER JOIN hk_used_elsewhere AS u ON a.parent = u.oid
    WHERE u.reads OR u.writes
),
-- The tables whose rows one has by their parents, and by the parents of those.
hk_among (child, parent) AS (
    SELECT h.inhrelid, h.inhparent
    FROM pg_catalog.pg_inherits AS h
    INNER JOIN hk_target_relation AS t ON h.inhrelid = t.oid AND t.relkind IN ('r', 'p', 'f')
    UNION
    SELECT a.child, h.inhparent
    FROM hk_among AS a INNER JOIN pg_catalog.pg_inherits AS h ON a.parent = h.inhrelid
),
hk_target_owner (oid, object, typed) AS (
    SELECT s.owner, 'schema ' || s.object, 'SCHEMA ' || s.object FROM hk_target_schema AS s
    UNION ALL
    SELECT r.owner, r.object, 'TABLE ' || r.object FROM hk_target_relation AS r
    UNION ALL
    SELECT f.owner, f.object, 'ROUTINE ' || f.object FROM hk_target_function AS f
),
-- Roles that the source is a member of and somebody else lives by, such as another application's:
-- what was granted to them is rightly theirs, and the membership is what is wrong.
hk_source_lent AS (
    SELECT
        h.oid,
        pg_catalog.string_agg(DISTINCT e.revoke, ' ') AS fix,
        pg_catalog.min(h.role_object) AS role,
        'boundary-membership ' || pg_catalog.min(h.role_object) AS because
    FROM hk_source_reach AS h
    INNER JOIN hk_edge AS e ON h.oid = e.roleid
    INNER JOIN hk_source_reach AS m ON e.member = m.oid AND h.role = m.role
    INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
    WHERE
        h.oid NOT IN (SELECT s.oid FROM hk_source_role AS s)
        AND (
            r.rolcanlogin
            OR h.oid IN (SELECT t.oid FROM hk_target_role AS t)
            OR h.oid IN (SELECT o.oid FROM hk_target_owner AS o)
        )
    GROUP BY h.oid
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
),
-- The same, all that one grantee holds on one relation together.
hk_target_privilege AS (
    SELECT
        g.object,
        g.relkind,
        g.grantee,
        g.grantee_object,
        pg_catalog.string_agg(g.privilege, ', ' ORDER BY g.privilege) AS privileges
    FROM hk_target_grant AS g
    GROUP BY g.object, g.relkind, g.grantee, g.grantee_object
)
