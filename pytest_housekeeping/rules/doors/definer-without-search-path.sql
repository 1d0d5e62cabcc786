-- title: A SECURITY DEFINER function looks names up where its caller says
-- level: error
-- why: a function that runs with its owner's rights and with the caller's search_path calls and
--   reads what an attacker put in front. A pinned path that names schemas must end in pg_temp,
--   which is searched first for tables where it is not named.
--   https://www.postgresql.org/docs/16/sql-createfunction.html
-- fix: ALTER ROUTINE {object} SET search_path = '';
--   -- and write every name with its schema
-- leak: SELECT prosecdef, proconfig FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
--   -- a caller who makes pg_temp.now() and calls it has its own code run as the owner
-- examines: hk_function
-- tripwire: CREATE FUNCTION {schema}.hk_tripwire() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
-- tripwire-object: {schema}.hk_tripwire()
-- good: CREATE FUNCTION {schema}.hk_good() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   CREATE FUNCTION {schema}.hk_also_good() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {schema}.hk_good(), {schema}.hk_also_good() FROM PUBLIC;
SELECT
    f.object,
    CASE
        WHEN s.path IS NULL THEN 'its search_path is not pinned'
        ELSE pg_catalog.format('its search_path is pinned to %s, open to the caller''s objects', s.path)
    END AS detail
FROM hk_function AS f
LEFT JOIN LATERAL (
    SELECT pg_catalog.substr(setting.value, 13) AS path
    FROM pg_catalog.unnest(f.settings) AS setting (value)
    WHERE setting.value LIKE 'search\_path=%'
) AS s ON true
WHERE
    f.security_definer
    AND (
        s.path IS NULL
        OR s.path LIKE '%$user%'
        OR (s.path NOT IN ('', '""', 'pg_catalog') AND s.path !~ '(^|, ?)"?pg_temp"?$')
    )
