-- title: A preset search_path leads through a schema that untrusted roles write to
-- level: error
-- why: every name without a schema is looked up along search_path. An attacker who may create in
--   one of its schemas puts a function or a table there that other sessions then take for the
--   real one, and runs with their rights.
--   https://www.postgresql.org/docs/16/ddl-schemas.html
-- fix: ALTER DATABASE {database} RESET search_path;
-- leak: SELECT setdatabase, setrole::pg_catalog.regrole, setconfig
--   FROM pg_catalog.pg_db_role_setting;
-- examines: hk_role
-- tripwire: GRANT CREATE ON SCHEMA {schema} TO {role};
--   ALTER DATABASE {database} SET search_path = {schema};
-- tripwire-object: DATABASE {database}
-- good: ALTER DATABASE {database} SET search_path = {schema};
SELECT DISTINCT
    p.object,
    pg_catalog.format('it presets search_path = %s, and %s', p.value, x.words) AS detail,
    p.fix
FROM hk_preset AS p
CROSS JOIN LATERAL pg_catalog.unnest(
    pg_catalog.regexp_split_to_array(p.value, '\s*,\s*')
) WITH ORDINALITY AS part (text, place)
CROSS JOIN LATERAL (
    SELECT pg_catalog.replace(pg_catalog.btrim(part.text, '"'), '""', '"') AS name
) AS q
CROSS JOIN LATERAL (
    SELECT pg_catalog.format('%I may create in %I', 'PUBLIC', n.nspname) AS words
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS g
    WHERE n.nspname = q.name AND g.privilege_type = 'CREATE' AND g.grantee = 0
    UNION ALL
    SELECT pg_catalog.format('%s may create in %I', h.role_object, n.nspname)
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN LATERAL pg_catalog.aclexplode(
        coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
    ) AS g
    INNER JOIN hk_reach AS h ON g.grantee = h.oid
    WHERE
        (n.nspname = q.name OR (q.name = '$user' AND n.nspname = (
            SELECT r.name FROM hk_role AS r WHERE r.oid = h.role
        )))
        AND g.privilege_type = 'CREATE'
    UNION ALL
    SELECT 'pg_temp, where everybody may create, stands before others'
    WHERE
        q.name = 'pg_temp'
        AND part.place < pg_catalog.cardinality(
            pg_catalog.regexp_split_to_array(p.value, '\s*,\s*')
        )
) AS x
WHERE p.name = 'search_path' AND NOT p.by_function
