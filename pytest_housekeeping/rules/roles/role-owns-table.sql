-- title: An untrusted role owns a protected table
-- level: error
-- why: an owner may drop the policies, switch row-level security off, and does not obey it where
--   it is not forced. So may every role that can become the owner.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER TABLE {object} OWNER TO {migrator};
-- leak: BEGIN; SET LOCAL ROLE {role};
--   ALTER TABLE {object} DISABLE ROW LEVEL SECURITY; -- an owner may
--   ROLLBACK;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT CREATE ON SCHEMA {schema} TO {role};
--   ALTER TABLE {schema}.hk_tripwire OWNER TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
SELECT
    t.object,
    CASE
        WHEN h.oid = h.role THEN pg_catalog.format('its owner is %s', h.role_object)
        ELSE pg_catalog.format('its owner is %I; for %s, %s', r.rolname, h.role_object, w.words)
    END AS detail,
    pg_catalog.format('%I', current_user) AS migrator,
    w.fix
FROM hk_table AS t
INNER JOIN hk_reach AS h ON t.owner = h.oid
INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
LEFT JOIN hk_way AS w ON h.role = w.role AND h.oid = w.oid
