-- title: An untrusted role may set a parameter that guards rows
-- level: error
-- why: some parameters are for superusers because they switch guards off. With
--   session_replication_role = replica an attacker's session runs without triggers and foreign
--   keys, with lo_compat_privileges it reads every large object, with session_preload_libraries
--   it loads code; ALTER SYSTEM changes the server for everybody.
--   https://www.postgresql.org/docs/16/sql-grant.html
-- fix: REVOKE {privileges} ON PARAMETER {name} FROM {grantee};
-- leak: SELECT parname, paracl FROM pg_catalog.pg_parameter_acl;
-- examines: hk_role
-- tripwire-superuser: GRANT SET ON PARAMETER session_replication_role TO {role};
-- tripwire: SELECT 1;
-- tripwire-object: PARAMETER session_replication_role
-- good: CREATE ROLE {good_role} NOLOGIN;
SELECT
    'PARAMETER ' || n.typed AS object,
    pg_catalog.format(
        '%s may %s it',
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'),
        pg_catalog.string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type)
    ) AS detail,
    n.typed AS name,
    pg_catalog.string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type) AS privileges,
    coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee,
    l.fix
FROM pg_catalog.pg_parameter_acl AS p
CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(e.name), '.' ORDER BY e.place) AS typed
    FROM pg_catalog.string_to_table(p.parname, '.') WITH ORDINALITY AS e (name, place)
) AS n
CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
LEFT JOIN hk_lent AS l ON g.grantee = l.oid
WHERE
    (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
    AND (
        g.privilege_type = 'ALTER SYSTEM'
        OR p.parname IN (
            'session_replication_role', 'lo_compat_privileges', 'allow_system_table_mods',
            'session_preload_libraries', 'dynamic_library_path', 'extension_control_path',
            'event_triggers', 'ignore_system_indexes', 'zero_damaged_pages',
            'ignore_checksum_failure', 'allow_in_place_tablespaces', 'max_stack_depth'
        )
    )
GROUP BY n.typed, r.rolname, l.fix
