-- title: An untrusted role may create roles
-- level: error
-- why: CREATEROLE makes roles and memberships: up to PostgreSQL 15 an attacker grants itself the
--   owner of the tables or pg_read_all_data, later still every role that it administers.
--   https://www.postgresql.org/docs/16/role-attributes.html
-- fix: ALTER ROLE {object} NOCREATEROLE;
-- leak: SELECT rolname, rolcreaterole FROM pg_catalog.pg_roles
--   WHERE pg_catalog.quote_ident(rolname) = $hk${object}$hk$;
-- examines: hk_role
-- tripwire-superuser: CREATE ROLE {tripwire_role} CREATEROLE;
--   GRANT {tripwire_role} TO {migrator} WITH ADMIN OPTION;
-- tripwire: GRANT {tripwire_role} TO {role};
-- tripwire-object: {role}
-- good: CREATE ROLE {good_role} NOLOGIN NOCREATEROLE;
--   GRANT {good_role} TO {role};
SELECT
    h.role_object AS object,
    h.subject || ' has CREATEROLE' AS detail,
    h.fix
FROM hk_become_subject AS h
INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
WHERE r.rolcreaterole
