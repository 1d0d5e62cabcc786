-- title: An untrusted role may replicate
-- level: error
-- why: REPLICATION opens a copy of the whole cluster as it is written: an attacker streams the
--   tables of every tenant, passwords included, past all policies.
--   https://www.postgresql.org/docs/16/role-attributes.html
-- fix: ALTER ROLE {object} NOREPLICATION;
-- leak: SELECT rolname, rolreplication FROM pg_catalog.pg_roles
--   WHERE pg_catalog.quote_ident(rolname) = $hk${object}$hk$;
-- examines: hk_role
-- tripwire-superuser: CREATE ROLE {tripwire_role} REPLICATION;
--   GRANT {tripwire_role} TO {migrator} WITH ADMIN OPTION;
-- tripwire: GRANT {tripwire_role} TO {role};
-- tripwire-object: {role}
-- good: CREATE ROLE {good_role} NOLOGIN NOREPLICATION;
--   GRANT {good_role} TO {role};
SELECT
    h.role_object AS object,
    h.subject || ' has REPLICATION' AS detail,
    h.fix
FROM hk_become_subject AS h
INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
WHERE r.rolreplication
