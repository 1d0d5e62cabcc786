-- title: The source owns an object of the target
-- level: error
-- why: an owner may do anything with its object, and grants itself what was revoked.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: ALTER {typed} OWNER TO {migrator};
-- leak: SELECT c.oid::pg_catalog.regclass, c.relowner::pg_catalog.regrole FROM pg_catalog.pg_class
--   AS c
--   WHERE c.relowner = $hk${role}$hk$::pg_catalog.regrole;
-- examines: hk_target_relation
-- tripwire: CREATE TABLE {target_schema}.hk_tripwire (id integer);
--   GRANT CREATE ON SCHEMA {target_schema} TO {source_role};
--   ALTER TABLE {target_schema}.hk_tripwire OWNER TO {source_role};
-- tripwire-object: {target_schema}.hk_tripwire
-- good: CREATE TABLE {target_schema}.hk_good (id integer);
SELECT DISTINCT
    o.object,
    pg_catalog.format('its owner is %s', s.object) AS detail,
    o.typed,
    pg_catalog.format('%I', current_user) AS migrator,
    s.object AS role
FROM hk_target_owner AS o
INNER JOIN hk_role AS s ON o.oid = s.oid
