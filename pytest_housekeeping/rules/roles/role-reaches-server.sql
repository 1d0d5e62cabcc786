-- title: An untrusted role reaches the server below the database
-- level: error
-- why: who may read or write the server's files, or start a program there, reads the tables from
--   the data directory and makes itself superuser: COPY ... FROM PROGRAM is a shell.
--   https://www.postgresql.org/docs/16/predefined-roles.html
-- fix: REVOKE pg_execute_server_program FROM {object};
-- leak: SELECT roleid::pg_catalog.regrole, member::pg_catalog.regrole
--   FROM pg_catalog.pg_auth_members;
-- examines: hk_role
-- tripwire-superuser: CREATE ROLE {tripwire_role} IN ROLE pg_read_server_files;
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
    'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
    'pg_create_subscription', 'pg_signal_backend', 'pg_signal_autovacuum_worker'
)
