-- title: An untrusted role may create in a protected schema
-- level: error
-- why: who may CREATE in the schema puts a table, a function or an operator of its own there.
--   Code that looks names up in that schema calls it with the caller's rights, and what an
--   attacker owns has no policy but its own.
--   https://www.postgresql.org/docs/16/ddl-schemas.html
-- fix: REVOKE CREATE ON SCHEMA {object} FROM {grantee};
-- leak: SELECT nspname, nspacl FROM pg_catalog.pg_namespace
--   WHERE pg_catalog.quote_ident(nspname) = $hk${object}$hk$;
-- examines: hk_schema
-- tripwire: GRANT CREATE ON SCHEMA {schema} TO {role};
-- tripwire-object: {schema}
-- good: GRANT CREATE ON SCHEMA {schema} TO CURRENT_USER;
SELECT DISTINCT
    s.object,
    CASE
        WHEN g.grantee = 0 THEN 'PUBLIC may create objects in it'
        WHEN h.oid = h.role THEN pg_catalog.format('%s may create objects in it', h.role_object)
        ELSE pg_catalog.format('%I may create objects in it; for %s, %s', r.rolname, h.role_object, w.words)
    END AS detail,
    CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', r.rolname) END AS grantee
FROM hk_schema AS s
INNER JOIN pg_catalog.pg_namespace AS n ON s.oid = n.oid
CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS g
LEFT JOIN hk_reach AS h ON g.grantee = h.oid
LEFT JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
LEFT JOIN hk_way AS w ON h.role = w.role AND h.oid = w.oid
WHERE
    g.privilege_type = 'CREATE'
    AND g.grantee <> n.nspowner
    AND (h.oid IS NOT NULL OR g.grantee = 0)
