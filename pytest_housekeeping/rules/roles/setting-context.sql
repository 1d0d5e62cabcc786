-- title: A session starts with an identity
-- level: error
-- why: a preset context speaks for a session that has said nothing: a connection that forgot to
--   say whom it acts for reads and writes the rows of one tenant, and is not told.
--   https://www.postgresql.org/docs/16/runtime-config-custom.html
-- fix: ALTER DATABASE {database} RESET app.tenant_id;
-- leak: SELECT setdatabase, setrole::pg_catalog.regrole, setconfig
--   FROM pg_catalog.pg_db_role_setting;
-- examines: hk_role
-- tripwire-superuser: GRANT SET ON PARAMETER {setting} TO {migrator};
-- tripwire: ALTER DATABASE {database} SET {setting} = '1';
-- tripwire-object: DATABASE {database}
-- good: ALTER DATABASE {database} SET application_name = 'blue';
SELECT
    p.object,
    pg_catalog.format('it presets the context: %s = %s', p.name, p.value) AS detail,
    p.fix
FROM hk_preset AS p
WHERE
    p.value NOT IN ('', '""')
    AND pg_catalog.lower(p.name) IN (SELECT c.name FROM hk_context AS c)
