-- title: Row-level security is switched off beforehand
-- level: error
-- why: with row_security = off a query that a policy would filter raises instead, so that somebody
--   will soon exempt the role; and whoever is exempt already is never told that it reads the
--   rows of every tenant.
--   https://www.postgresql.org/docs/16/runtime-config-client.html
-- fix: ALTER DATABASE {database} RESET row_security;
-- leak: SELECT setdatabase, setrole::pg_catalog.regrole, setconfig
--   FROM pg_catalog.pg_db_role_setting;
-- examines: hk_role
-- tripwire: ALTER DATABASE {database} SET row_security = off;
-- tripwire-object: DATABASE {database}
-- good: ALTER DATABASE {database} SET row_security = on;
SELECT
    p.object,
    'it presets row_security = ' || p.value AS detail,
    p.fix
FROM hk_preset AS p
WHERE p.name = 'row_security' AND p.value IN ('off', 'false', 'no', '0', 'of', 'f', 'n')
