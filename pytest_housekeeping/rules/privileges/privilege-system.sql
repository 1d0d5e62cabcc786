-- title: PostgreSQL's own objects are opened to an untrusted role
-- level: error
-- why: what PostgreSQL keeps for superusers knows no policy: pg_statistic holds values of every
--   tenant's rows, pg_authid the passwords, a TOAST table the long values themselves,
--   pg_read_binary_file the data files, and lo_export writes files. One grant beyond those that
--   the server came with gives them to an attacker.
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
WITH system (classid, objid, subid, object, typed, acl, initial) AS (
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
    WHERE f.proacl IS NOT NULL AND n.nspname IN ('pg_catalog', 'information_schema')
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
