-- title: PostgreSQL's own objects are opened to an untrusted role
-- level: error
-- why: what PostgreSQL keeps for superusers knows no policy: pg_statistic holds values of every
--   tenant's rows, pg_authid the passwords, a TOAST table the long values themselves,
--   pg_read_binary_file the data files, and lo_export writes files. One grant beyond those that
--   the server came with gives them to an attacker. So does a view of them whose owner may read them,
--   a materialized view that keeps what such an owner saw in pg_stats, a function that is one of
--   them by another name, and a function that an extension keeps for superusers.
--   https://www.postgresql.org/docs/16/catalog-pg-init-privs.html
-- fix: {repair}
-- leak: SELECT objoid, classoid::pg_catalog.regclass, initprivs FROM pg_catalog.pg_init_privs;
--   -- these are the privileges that the server came with
-- examines: hk_role
-- tripwire-superuser: GRANT SELECT ON pg_catalog.pg_statistic TO {role};
-- tripwire: SELECT 1;
-- tripwire-object: pg_catalog.pg_statistic
-- good: CREATE ROLE {good_role};
--   GRANT SELECT ON pg_catalog.pg_class TO {good_role};
WITH RECURSIVE system (classid, objid, subid, object, typed, acl, initial) AS (
    SELECT
        'pg_catalog.pg_class'::pg_catalog.regclass,
        c.oid,
        0,
        pg_catalog.format('%I.%I', n.nspname, c.relname),
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END
        || pg_catalog.format('%I.%I', n.nspname, c.relname),
        c.relacl,
        NULL::aclitem[]
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE c.relacl IS NOT NULL AND n.nspname IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT
        'pg_catalog.pg_class'::pg_catalog.regclass,
        c.oid,
        0,
        pg_catalog.format('TOAST TABLE OF %s', t.oid::pg_catalog.regclass),
        c.oid::pg_catalog.regclass::text,
        c.relacl,
        NULL
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_class AS t ON c.oid = t.reltoastrelid
    WHERE c.relacl IS NOT NULL AND c.relkind = 't'
    UNION ALL
    SELECT
        'pg_catalog.pg_class'::pg_catalog.regclass,
        c.oid,
        a.attnum,
        pg_catalog.format('%I.%I', n.nspname, c.relname),
        pg_catalog.format('%I.%I', n.nspname, c.relname),
        a.attacl,
        NULL
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    INNER JOIN pg_catalog.pg_attribute AS a ON c.oid = a.attrelid
    WHERE
        a.attacl IS NOT NULL
        AND a.attrelid < 16384::oid
        AND n.nspname IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT
        'pg_catalog.pg_proc'::pg_catalog.regclass,
        f.oid,
        0,
        pg_catalog.format(
            '%I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ),
        pg_catalog.format(
            'ROUTINE %I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ),
        f.proacl,
        pg_catalog.acldefault('f', f.proowner)
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE
        f.proacl IS NOT NULL
        AND (
            n.nspname IN ('pg_catalog', 'information_schema')
            OR f.oid IN (
                SELECT e.objid FROM hk_extension_member AS e
                WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            )
        )
),

granted AS (
    SELECT s.object, s.typed, g.grantee, g.privilege_type AS privilege, a.attname
    FROM system AS s
    CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) AS g
    LEFT JOIN pg_catalog.pg_attribute AS a ON s.objid = a.attrelid AND s.subid = a.attnum
    WHERE
        (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
        -- Its views are for everybody, and show what one may see.
        AND NOT (s.object LIKE 'information\_schema.%' AND g.privilege_type = 'SELECT')
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_init_privs AS i
            CROSS JOIN LATERAL pg_catalog.aclexplode(i.initprivs) AS b
            WHERE
                i.classoid = s.classid
                AND i.objoid = s.objid
                AND i.objsubid IN (0, s.subid)
                AND b.privilege_type = g.privilege_type
                AND b.grantee IN (0, g.grantee)
        )
        AND NOT EXISTS (
            SELECT FROM pg_catalog.aclexplode(s.initial) AS b
            WHERE
                b.privilege_type = g.privilege_type
                AND b.grantee IN (0, g.grantee)
                AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_init_privs AS i
                    WHERE i.classoid = s.classid AND i.objoid = s.objid
                )
        )
),

-- Relations of its own that PostgreSQL shows to nobody, and who may read them all the same.
kept (oid, object) AS (
    SELECT c.oid, pg_catalog.format('pg_catalog.%I', c.relname)
    FROM pg_catalog.pg_class AS c
    WHERE
        c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
        AND (c.relkind = 'r' OR c.relname = 'pg_shadow')
        AND NOT pg_catalog.has_any_column_privilege('public', c.oid, 'SELECT')
),

mighty (oid) AS (
    SELECT r.oid
    FROM pg_catalog.pg_roles AS r
    WHERE EXISTS (
        SELECT FROM kept AS k WHERE pg_catalog.has_any_column_privilege(r.oid, k.oid, 'SELECT')
    )
),

-- What shows each role what it may see, a materialized view keeps as its owner saw it.
kept_of (relkind, oid, object) AS (
    SELECT r.relkind, k.oid, k.object
    FROM kept AS k
    CROSS JOIN (VALUES ('v'::"char"), ('m'::"char")) AS r (relkind)
    UNION ALL
    SELECT 'm', c.oid, pg_catalog.format('pg_catalog.%I', c.relname)
    FROM pg_catalog.pg_class AS c
    WHERE
        c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
        AND c.relname IN (
            'pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_stat_activity', 'pg_user_mappings'
        )
),

-- Their views, by the rule: of what PostgreSQL came with it records no dependency. Then the views
-- of those.
kept_view (oid, kept) AS (
    SELECT v.oid, k.object
    FROM (
        SELECT c.oid, c.relkind, w.ev_action::text AS body
        FROM pg_catalog.pg_class AS c
        INNER JOIN mighty AS m ON c.relowner = m.oid
        INNER JOIN pg_catalog.pg_rewrite AS w ON c.oid = w.ev_class AND w.ev_type = '1'
        WHERE c.oid >= 16384 AND c.relkind IN ('v', 'm')
        OFFSET 0
    ) AS v
    INNER JOIN kept_of AS k
        ON v.relkind = k.relkind AND pg_catalog.strpos(v.body, ' :relid ' || k.oid::text || ' ') > 0
    UNION
    SELECT r.view_oid, o.kept
    FROM kept_view AS o INNER JOIN hk_view_reads AS r ON o.oid = r.relation_oid
),

kept_shown AS (
    SELECT
        c.oid::pg_catalog.regclass::text AS object,
        v.kept,
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee
    FROM kept_view AS v
    INNER JOIN pg_catalog.pg_class AS c ON v.oid = c.oid
    CROSS JOIN LATERAL (
        SELECT g.grantee, g.privilege_type FROM pg_catalog.aclexplode(c.relacl) AS g
        UNION
        SELECT g.grantee, g.privilege_type
        FROM pg_catalog.pg_attribute AS a
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    ) AS g
    LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
    WHERE
        g.privilege_type = 'SELECT'
        AND g.grantee <> c.relowner
        AND (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS s
            WHERE s.option_name = 'security_invoker' AND s.option_value::boolean
        )
)

SELECT
    g.object,
    pg_catalog.format(
        '%s may %s it, which no role may unless somebody grants it',
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'),
        pg_catalog.string_agg(DISTINCT g.privilege, ', ')
    ) AS detail,
    coalesce(
        pg_catalog.min(l.fix),
        pg_catalog.string_agg(
            DISTINCT pg_catalog.format(
                'REVOKE %s ON %s FROM %s;',
                g.privilege || coalesce(' (' || pg_catalog.quote_ident(g.attname) || ')', ''),
                g.typed,
                coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC')
            ),
            ' '
        )
    ) AS repair
FROM granted AS g
LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
LEFT JOIN hk_lent AS l ON g.grantee = l.oid
GROUP BY g.object, r.rolname
UNION ALL
SELECT
    pg_catalog.format('LANGUAGE %I', l.lanname),
    'it is marked as trusted: whoever may create a function calls what the server is made of',
    pg_catalog.format(
        'UPDATE pg_catalog.pg_language SET lanpltrusted = false WHERE lanname = %L;', l.lanname
    )
FROM pg_catalog.pg_language AS l
WHERE
    (l.lanname IN ('c', 'internal') OR l.lanname ~ '^pl.*u$')
    AND l.lanpltrusted
    AND EXISTS (SELECT FROM hk_role)
UNION ALL
SELECT
    s.object,
    pg_catalog.format(
        'it shows %s as its owner sees it, and %s may SELECT it',
        pg_catalog.string_agg(DISTINCT s.kept, ', '),
        pg_catalog.string_agg(DISTINCT s.grantee, ', ')
    ),
    pg_catalog.format(
        'REVOKE ALL ON %s FROM %s;', s.object, pg_catalog.string_agg(DISTINCT s.grantee, ', ')
    )
FROM kept_shown AS s
GROUP BY s.object
UNION ALL
SELECT
    f.oid::pg_catalog.regprocedure::text,
    pg_catalog.format(
        'it is pg_catalog.%I by another name, which no role may EXECUTE unless somebody grants it',
        pg_catalog.min(b.proname)
    ),
    pg_catalog.format(
        'REVOKE ALL ON ROUTINE %s FROM %s;',
        f.oid::pg_catalog.regprocedure,
        pg_catalog.string_agg(DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', ')
    )
FROM pg_catalog.pg_proc AS f
INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
INNER JOIN pg_catalog.pg_proc AS b
    ON f.prosrc = b.prosrc AND f.prolang = b.prolang AND b.oid < 16384
CROSS JOIN LATERAL pg_catalog.aclexplode(
    coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))
) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
WHERE
    f.oid >= 16384
    AND l.lanname = 'internal'
    AND NOT pg_catalog.has_function_privilege('public', b.oid, 'EXECUTE')
    AND (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
    AND g.grantee <> f.proowner
    AND f.pronamespace IN (SELECT e.oid FROM hk_entered AS e)
GROUP BY f.oid
