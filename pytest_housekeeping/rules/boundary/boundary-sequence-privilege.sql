-- title: The source holds a privilege on a sequence of the target
-- level: error
-- why: a sequence tells how much the target does, and whoever may use it can disturb it.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE ALL ON SEQUENCE {object} FROM {grantee};
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT last_value FROM {object};
--   ROLLBACK;
-- examines: hk_target_relation
-- tripwire: CREATE SEQUENCE {target_schema}.hk_tripwire;
--   GRANT USAGE ON SEQUENCE {target_schema}.hk_tripwire TO {source_role};
-- tripwire-object: {target_schema}.hk_tripwire
-- good: CREATE SEQUENCE {target_schema}.hk_good;
SELECT
    g.object,
    pg_catalog.format('%s may %s', g.grantee_object, g.privileges) AS detail,
    g.grantee_object AS grantee,
    l.fix,
    l.because,
    coalesce(l.role, g.grantee_object) AS role
FROM hk_target_privilege AS g
LEFT JOIN hk_source_lent AS l ON g.grantee = l.oid
WHERE g.grantee <> 0 AND g.relkind = 'S'
