-- title: The target grants a privilege to PUBLIC
-- level: error
-- why: PUBLIC is every role, also the ones that will be made tomorrow: the source is among them.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE ALL ON {what} {object} FROM PUBLIC;
-- leak: SELECT c.oid::pg_catalog.regclass, a.privilege_type FROM pg_catalog.pg_class AS c
--   CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a WHERE a.grantee = 0;
-- examines: hk_target_relation
-- tripwire: GRANT SELECT ON {target_relation} TO PUBLIC;
-- tripwire-object: {target_relation}
-- good: GRANT SELECT ON {target_relation} TO CURRENT_USER;
SELECT
    g.object,
    pg_catalog.format('PUBLIC may %s', g.privileges) AS detail,
    CASE WHEN g.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS what
FROM hk_target_privilege AS g
WHERE g.grantee = 0
UNION ALL
SELECT
    s.object,
    pg_catalog.format(
        'PUBLIC may use the schema (%s)',
        pg_catalog.string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type)
    ),
    'SCHEMA'
FROM hk_target_schema AS s
CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) AS g
WHERE g.grantee = 0
GROUP BY s.object
