-- title: An untrusted role is mapped to an account on another server
-- level: warning
-- why: with a user mapping the role acts on the other server as the mapped account. There this
--   server's policies count for nothing: an attacker reads what that account may read, and a
--   mapping for PUBLIC lends the account to everybody.
--   https://www.postgresql.org/docs/16/sql-createusermapping.html
-- fix: DROP {object};
-- leak: SELECT srvname, usename FROM pg_catalog.pg_user_mappings;
-- examines: hk_role
-- tripwire-superuser: CREATE FOREIGN DATA WRAPPER {tripwire_role};
--   GRANT USAGE ON FOREIGN DATA WRAPPER {tripwire_role} TO {migrator};
-- tripwire: CREATE SERVER {tripwire_role} FOREIGN DATA WRAPPER {tripwire_role};
--   CREATE USER MAPPING FOR {role} SERVER {tripwire_role};
-- tripwire-object: USER MAPPING FOR {role} SERVER {tripwire_role}
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
SELECT DISTINCT
    pg_catalog.format(
        'USER MAPPING FOR %s SERVER %I',
        CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', m.usename) END,
        m.srvname
    ) AS object,
    CASE
        WHEN m.umuser = 0 THEN 'everybody acts there as the mapped account'
        WHEN h.oid = h.role THEN 'the untrusted role acts there as the mapped account'
        ELSE pg_catalog.format('for %s, %s', h.role_object, w.words)
    END AS detail
FROM pg_catalog.pg_user_mappings AS m
LEFT JOIN hk_reach AS h ON m.umuser = h.oid
LEFT JOIN hk_way AS w ON h.role = w.role AND h.oid = w.oid
WHERE m.umuser = 0 OR h.oid IS NOT NULL
