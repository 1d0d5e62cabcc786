-- title: An untrusted role has a predefined role over all data
-- level: error
-- why: pg_read_all_data and pg_write_all_data hold every privilege on every table, also on those
--   of tomorrow and in schemas that were never granted; pg_maintain may lock and rewrite them;
--   pg_read_all_stats shows the statements of other sessions, with the values in them.
--   https://www.postgresql.org/docs/16/predefined-roles.html
-- fix: REVOKE pg_read_all_data FROM {object};
-- leak: SELECT roleid::pg_catalog.regrole, member::pg_catalog.regrole
--   FROM pg_catalog.pg_auth_members;
-- examines: hk_role
-- tripwire-superuser: CREATE ROLE {tripwire_role} IN ROLE pg_read_all_data;
--   GRANT {tripwire_role} TO {migrator} WITH ADMIN OPTION;
-- tripwire: GRANT {tripwire_role} TO {role};
-- tripwire-object: {role}
-- good: CREATE ROLE {good_role} NOLOGIN;
--   GRANT {good_role} TO {role};
SELECT
    w.role_object AS object,
    w.words AS detail,
    w.fix
FROM hk_way AS w
WHERE w.name IN (
    'pg_read_all_data', 'pg_write_all_data', 'pg_maintain', 'pg_read_all_stats', 'pg_monitor'
)
