-- title: An untrusted role owns a schema that others look into, or the database
-- level: error
-- why: the owner of a schema drops any object in it and puts its own in the place: a table
--   without policies, a function that every session calls. The owner of the database presets
--   the settings of every session.
--   https://www.postgresql.org/docs/16/ddl-schemas.html
-- fix: ALTER {kind} {name} OWNER TO {migrator};
-- leak: SELECT nspname, nspowner::pg_catalog.regrole FROM pg_catalog.pg_namespace;
-- examines: hk_schema
-- tripwire: CREATE ROLE {tripwire_role};
--   GRANT {tripwire_role} TO {migrator};
--   GRANT CREATE ON DATABASE {database} TO {tripwire_role};
--   ALTER SCHEMA {schema} OWNER TO {tripwire_role};
--   GRANT {tripwire_role} TO {role};
-- tripwire-object: SCHEMA {schema}
-- good: CREATE ROLE {good_role};
--   GRANT {good_role} TO {role};
SELECT
    o.kind || ' ' || o.name AS object,
    h.words AS detail,
    o.kind,
    o.name,
    pg_catalog.format('%I', current_user) AS migrator,
    h.fix
FROM (
    SELECT 'SCHEMA' AS kind, s.object AS name, s.owner
    FROM hk_any_schema AS s
    WHERE
        s.oid IN (SELECT d.oid FROM hk_schema AS d)
        OR s.name IN ('public', 'pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'DATABASE', pg_catalog.format('%I', d.datname), d.datdba
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
) AS o
INNER JOIN hk_owner AS h ON o.owner = h.oid
