-- title: An untrusted role escapes row-level security
-- level: error
-- why: a superuser and a role with BYPASSRLS obey no policy. A member may become such a role
--   with SET ROLE, also where it does not inherit from it, and one with ADMIN OPTION lets itself
--   in; then it reads and writes the rows of every tenant.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: ALTER ROLE {object} NOSUPERUSER NOBYPASSRLS;
-- leak: SELECT rolname, rolsuper, rolbypassrls FROM pg_catalog.pg_roles
--   WHERE pg_catalog.quote_ident(rolname) = $hk${object}$hk$;
-- examines: hk_role
-- tripwire-superuser: CREATE ROLE {tripwire_role} BYPASSRLS;
--   GRANT {tripwire_role} TO {migrator} WITH ADMIN OPTION;
-- tripwire: GRANT {tripwire_role} TO {role};
-- tripwire-object: {role}
-- good: CREATE ROLE {good_role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
--   GRANT {good_role} TO {role};
SELECT
    h.role_object AS object,
    h.subject || ' is ' || x.words AS detail,
    h.fix
FROM hk_become_subject AS h
INNER JOIN hk_exempt_role AS x ON h.oid = x.oid
