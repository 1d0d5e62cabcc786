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
    h.words AS detail,
    h.role_object AS role,
    pg_catalog.format('%I', current_user) AS migrator,
    h.fix
FROM hk_table AS t
INNER JOIN hk_owner AS h ON t.owner = h.oid
