-- title: The source may enter a schema of the target
-- level: error
-- why: USAGE lets the source look up every name of the schema and call each function that
--   PUBLIC may execute, which is the default; CREATE lets it put objects of its own there.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE ALL ON SCHEMA {object} FROM {grantee};
-- leak: SELECT pg_catalog.has_schema_privilege($hk${role}$hk$, oid, 'USAGE') AS usage,
--   pg_catalog.has_schema_privilege($hk${role}$hk$, oid, 'CREATE') AS create
--   FROM pg_catalog.pg_namespace WHERE pg_catalog.quote_ident(nspname) = $hk${object}$hk$;
-- examines: hk_target_relation
-- tripwire: GRANT USAGE ON SCHEMA {target_schema} TO {source_role};
-- tripwire-object: {target_schema}
-- good: GRANT USAGE ON SCHEMA {target_schema} TO CURRENT_USER;
SELECT
    s.object,
    pg_catalog.format(
        '%s holds %s on the schema',
        e.object,
        pg_catalog.string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type)
    ) AS detail,
    e.object AS grantee,
    l.fix,
    l.because,
    coalesce(l.role, e.object) AS role
FROM hk_target_schema AS s
CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) AS g
INNER JOIN hk_grantee AS e ON g.grantee = e.oid
LEFT JOIN hk_source_lent AS l ON g.grantee = l.oid
WHERE g.grantee <> 0 AND g.grantee <> s.owner
GROUP BY s.object, e.object, l.fix, l.because, l.role
