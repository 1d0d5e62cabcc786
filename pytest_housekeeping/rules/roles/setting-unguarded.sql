-- title: A session starts with a guard switched off
-- level: error
-- why: with session_replication_role = replica no trigger fires and no foreign key is checked;
--   with lo_compat_privileges every session reads and writes every large object, whatever was
--   granted. A session that starts like this shows an attacker what the schema was to keep.
--   https://www.postgresql.org/docs/16/runtime-config-client.html
-- fix: ALTER DATABASE {database} RESET session_replication_role;
-- leak: SELECT setdatabase, setrole::pg_catalog.regrole, setconfig
--   FROM pg_catalog.pg_db_role_setting;
-- examines: hk_role
-- tripwire-superuser: ALTER DATABASE {database} SET lo_compat_privileges = on;
-- tripwire: SELECT 1;
-- tripwire-object: DATABASE {database}
-- good: ALTER DATABASE {database} SET application_name = 'blue';
SELECT
    p.object,
    pg_catalog.format('it presets %s = %s', p.name, p.value) AS detail,
    p.fix
FROM hk_preset AS p
WHERE
    (p.name = 'session_replication_role' AND pg_catalog.lower(p.value) = 'replica')
    OR (
        p.name IN ('lo_compat_privileges', 'allow_system_table_mods')
        AND pg_catalog.lower(p.value) IN ('on', 'true', 'tru', 'tr', 't', 'yes', 'ye', 'y', '1')
    )
    OR (
        p.name = 'event_triggers'
        AND pg_catalog.lower(p.value) IN ('off', 'of', 'false', 'fals', 'fal', 'fa', 'f', 'no', 'n', '0')
    )
