-- title: Default privileges will open the next table
-- level: warning
-- why: default privileges are granted when an object is made, before a policy stands on it: the
--   next table is read by an attacker from its first moment on, and nobody wrote the GRANT. For
--   functions they undo what was taken from PUBLIC: the next SECURITY DEFINER one is everybody's.
--   https://www.postgresql.org/docs/16/sql-alterdefaultprivileges.html
-- fix: {alter} REVOKE ALL ON {what} FROM {grantee};
-- leak: SELECT defaclrole::pg_catalog.regrole, defaclnamespace::pg_catalog.regnamespace,
--   defaclobjtype, defaclacl FROM pg_catalog.pg_default_acl;
-- examines: hk_schema
-- tripwire: ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role};
-- tripwire-object: {schema}
-- good: ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO CURRENT_USER;
SELECT
    coalesce(s.object, pg_catalog.format('%I', o.rolname)) AS object,
    pg_catalog.format(
        'on %s that %I makes, %s will be granted to %s',
        k.what,
        o.rolname,
        pg_catalog.string_agg(DISTINCT g.privilege_type, ', '),
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC')
    ) AS detail,
    k.what,
    coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee,
    pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I', o.rolname)
    || coalesce(' IN SCHEMA ' || s.object, '') AS alter
FROM pg_catalog.pg_default_acl AS d
INNER JOIN pg_catalog.pg_roles AS o ON d.defaclrole = o.oid
INNER JOIN (
    VALUES
    ('r', 'TABLES'), ('S', 'SEQUENCES'), ('n', 'SCHEMAS'), ('f', 'ROUTINES'), ('L', 'LARGE OBJECTS')
) AS k (code, what) ON d.defaclobjtype::text = k.code
LEFT JOIN hk_schema AS s ON d.defaclnamespace = s.oid
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
WHERE
    g.grantee <> d.defaclrole
    AND (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
    AND (
        d.defaclobjtype NOT IN ('S', 'f')
        OR g.privilege_type = 'UPDATE'
        OR g.grantee = 0
        OR g.is_grantable
    )
    -- Without a schema, that PUBLIC may execute is PostgreSQL's own default.
    AND NOT (d.defaclobjtype = 'f' AND d.defaclnamespace = 0 AND g.grantee = 0)
    -- Without a schema they count wherever the role makes something.
    AND (
        s.oid IS NOT NULL
        OR (
            d.defaclnamespace = 0
            AND d.defaclrole IN (
                SELECT c.owner FROM hk_schema AS c
                UNION
                SELECT t.owner FROM hk_any_table AS t
            )
        )
    )
GROUP BY s.object, o.rolname, k.what, r.rolname
