-- title: The source holds a privilege on a table of the target
-- level: error
-- why: a forbidden contract is worth what the grants say. A grant on a single column, or to a
--   role that the source is a member of, opens the boundary like one on the table.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE ALL ON {object} FROM {grantee};
-- leak: SELECT grantee, privilege_type FROM information_schema.role_table_grants
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- examines: hk_target_relation
-- tripwire: GRANT SELECT ON {target_relation} TO {source_role};
-- tripwire-object: {target_relation}
-- good: GRANT SELECT ON {target_relation} TO CURRENT_USER;
SELECT
    g.object,
    pg_catalog.format('%s may %s', g.grantee_object, g.privileges) AS detail,
    g.grantee_object AS grantee,
    l.fix,
    l.because,
    coalesce(l.role, g.grantee_object) AS role
FROM hk_target_privilege AS g
LEFT JOIN hk_source_lent AS l ON g.grantee = l.oid
WHERE g.grantee <> 0 AND g.relkind <> 'S'
