-- title: An untrusted role escapes row-level security
-- level: error
-- why: a superuser and a role with BYPASSRLS obey no policy. A member may become such a role
--   with SET ROLE, also where it does not inherit from it.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER ROLE {object} NOSUPERUSER NOBYPASSRLS;
-- examines: hk_role
-- tripwire-superuser: CREATE ROLE {tripwire_role} BYPASSRLS;
--   GRANT {tripwire_role} TO {migrator} WITH ADMIN OPTION;
-- tripwire: GRANT {tripwire_role} TO {role};
-- tripwire-object: {role}
-- tripwire-undo: DROP ROLE IF EXISTS {tripwire_role};
-- good: CREATE ROLE {good_role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
--   GRANT {good_role} TO {role};
SELECT
    h.role_object AS object,
    CASE WHEN h.oid = h.role THEN 'it is ' ELSE pg_catalog.format('it is a member of %I, which is ', r.rolname) END
    || CASE WHEN r.rolsuper THEN 'a superuser' ELSE 'BYPASSRLS' END AS detail,
    CASE WHEN h.oid <> h.role THEN pg_catalog.format('REVOKE %I FROM %s;', r.rolname, h.role_object) END AS fix
FROM hk_reach AS h
INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
WHERE r.rolsuper OR r.rolbypassrls
