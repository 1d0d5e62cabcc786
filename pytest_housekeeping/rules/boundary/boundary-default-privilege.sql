-- title: The next object of the target will be open to the source
-- level: error
-- why: default privileges are granted when an object is made: the boundary holds today and
--   falls with the next migration.
--   https://www.postgresql.org/docs/16/sql-alterdefaultprivileges.html
-- fix: {alter} REVOKE ALL ON {what} FROM {grantee};
-- leak: SELECT defaclrole::pg_catalog.regrole, defaclnamespace::pg_catalog.regnamespace,
--   defaclobjtype, defaclacl FROM pg_catalog.pg_default_acl;
-- examines: hk_target_relation
-- tripwire: ALTER DEFAULT PRIVILEGES IN SCHEMA {target_schema}
--   GRANT SELECT ON TABLES TO {source_role};
-- tripwire-object: {target_schema}
-- good: ALTER DEFAULT PRIVILEGES IN SCHEMA {target_schema}
--   GRANT SELECT ON TABLES TO CURRENT_USER;
SELECT
    coalesce(s.object, pg_catalog.format('%I', r.rolname)) AS object,
    pg_catalog.format(
        '%s that %I makes will grant %s to %s',
        k.what,
        r.rolname,
        pg_catalog.string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type),
        e.object
    ) AS detail,
    k.what,
    e.object AS grantee,
    pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I', r.rolname)
    || coalesce(' IN SCHEMA ' || s.object, '') AS alter,
    l.fix,
    l.because
FROM pg_catalog.pg_default_acl AS d
INNER JOIN pg_catalog.pg_roles AS r ON d.defaclrole = r.oid
INNER JOIN (
    VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'ROUTINES'), ('T', 'TYPES'), ('n', 'SCHEMAS')
) AS k (code, what) ON d.defaclobjtype::text = k.code
LEFT JOIN hk_target_schema AS s ON d.defaclnamespace = s.oid
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS g
INNER JOIN hk_grantee AS e ON g.grantee = e.oid
LEFT JOIN hk_source_lent AS l ON g.grantee = l.oid
WHERE
    g.grantee <> d.defaclrole
    AND (
        s.oid IS NOT NULL
        -- Without a schema they count wherever the role makes something, and for functions and
        -- types they repeat PostgreSQL's own default for PUBLIC.
        OR (
            d.defaclnamespace = 0
            AND d.defaclrole IN (SELECT o.oid FROM hk_target_owner AS o)
            AND NOT (g.grantee = 0 AND d.defaclobjtype IN ('f', 'T'))
        )
    )
GROUP BY s.object, r.rolname, k.what, e.object, l.fix, l.because
