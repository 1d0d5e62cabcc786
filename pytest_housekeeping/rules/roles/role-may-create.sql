-- title: An untrusted role may create where others look names up
-- level: error
-- why: who may CREATE in a protected schema, in public or in pg_catalog puts a table, a function
--   or an operator of its own there. Code that looks names up in that schema calls it with the
--   caller's rights, and what an attacker owns has no policy but its own. With CREATE on the
--   database it makes a schema that is called as another role is, which that role looks into
--   first.
--   https://www.postgresql.org/docs/16/ddl-schemas.html
-- fix: REVOKE CREATE ON {kind} {name} FROM {grantee};
-- leak: SELECT nspname, nspacl FROM pg_catalog.pg_namespace;
--   SELECT datname, datacl FROM pg_catalog.pg_database;
-- examines: hk_schema
-- tripwire: GRANT CREATE ON SCHEMA {schema} TO {role};
-- tripwire-object: {schema}
-- good: GRANT CREATE ON SCHEMA {schema} TO CURRENT_USER;
SELECT DISTINCT
    CASE WHEN s.kind = 'SCHEMA' THEN s.name ELSE s.kind || ' ' || s.name END AS object,
    CASE
        WHEN g.grantee = 0 THEN 'PUBLIC may create ' || s.what
        WHEN h.oid = h.role THEN pg_catalog.format('%s may create %s', h.role_object, s.what)
        ELSE pg_catalog.format('%I may create %s; for %s, %s', r.rolname, s.what, h.role_object, w.words)
    END AS detail,
    s.kind,
    s.name,
    CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', r.rolname) END AS grantee,
    l.fix
FROM (
    SELECT
        'SCHEMA' AS kind,
        s.object AS name,
        s.owner,
        s.acl,
        CASE
            WHEN s.oid IN (SELECT d.oid FROM hk_schema AS d) THEN 'objects in it'
            WHEN s.name = 'public' THEN 'objects in it, and sessions look names up there'
            WHEN s.name IN ('pg_catalog', 'information_schema')
                THEN 'objects in it, among those of PostgreSQL'
            ELSE 'objects in it, and ' || p.objects || ' looks names up there'
        END AS what
    FROM hk_any_schema AS s
    LEFT JOIN (
        SELECT
            pg_catalog.replace(pg_catalog.btrim(part.text, '"'), '""', '"') AS name,
            pg_catalog.min(e.object COLLATE "C") AS objects
        FROM hk_preset AS e
        CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(e.value, '\s*,\s*') AS part (text)
        WHERE e.name = 'search_path' AND e.by_function
        GROUP BY 1
    ) AS p ON s.name = p.name
    WHERE
        s.oid IN (SELECT d.oid FROM hk_schema AS d)
        OR s.name IN ('public', 'pg_catalog', 'information_schema')
        OR p.name IS NOT NULL
    UNION ALL
    SELECT 'DATABASE', pg_catalog.format('%I', d.datname), d.datdba, d.datacl, 'schemas in it'
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
) AS s
CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) AS g
LEFT JOIN hk_reach AS h ON g.grantee = h.oid
LEFT JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
LEFT JOIN hk_way AS w ON h.role = w.role AND h.oid = w.oid
LEFT JOIN hk_lent AS l ON h.oid = l.oid
WHERE
    g.privilege_type = 'CREATE'
    AND g.grantee <> s.owner
    AND (h.oid IS NOT NULL OR g.grantee = 0)
