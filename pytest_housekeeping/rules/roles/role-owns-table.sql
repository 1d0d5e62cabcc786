-- title: An untrusted role owns a protected table
-- level: error
-- why: an owner may drop the policies, switch row-level security off, and does not obey it where
--   it is not forced. So may every member of the owner.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER TABLE {object} OWNER TO <the migrator>;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT CREATE ON SCHEMA {schema} TO {role};
--   ALTER TABLE {schema}.hk_tripwire OWNER TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   GRANT ALL ON {schema}.hk_good TO {role};
SELECT
    t.object,
    CASE
        WHEN h.oid = h.role THEN pg_catalog.format('its owner is %s', h.role_object)
        ELSE pg_catalog.format('its owner is %I, of which %s is a member', r.rolname, h.role_object)
    END AS detail,
    CASE
        WHEN h.oid <> h.role
            THEN pg_catalog.format('REVOKE %I FROM %s;', r.rolname, h.role_object)
    END AS fix
FROM hk_table AS t
INNER JOIN hk_reach AS h ON t.owner = h.oid
INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
