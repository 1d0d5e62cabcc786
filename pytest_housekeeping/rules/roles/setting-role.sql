-- title: A session starts as another role
-- level: error
-- why: a preset role is taken on before the first statement: the session of an untrusted role then
--   has the rights of another one, and nobody who reads the grants can see it.
--   https://www.postgresql.org/docs/16/sql-set-role.html
-- fix: ALTER DATABASE {database} RESET role;
-- leak: SELECT setdatabase, setrole::pg_catalog.regrole, setconfig
--   FROM pg_catalog.pg_db_role_setting;
-- examines: hk_role
-- tripwire: ALTER DATABASE {database} SET role = {migrator};
-- tripwire-object: DATABASE {database}
-- good: ALTER DATABASE {database} SET role = none;
SELECT
    p.object,
    pg_catalog.format('it presets %s = %s', p.name, p.value) AS detail,
    p.fix
FROM hk_preset AS p
WHERE p.name IN ('role', 'session_authorization') AND p.value NOT IN ('none', '')
