-- title: A function carries what the target holds over to the source
-- level: error
-- why: rows that are copied into a schema of the source are the source's to read, whatever the
--   grants of the target say. The copy may be made by a trigger of the target's own tables, or by
--   a function of anybody's that names both sides.
--   https://www.postgresql.org/docs/16/sql-createtrigger.html
-- fix: -- let {object} leave the source's relations alone, or DROP ROUTINE {object};
-- leak: SELECT prosecdef, prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- proof: bodies
-- examines: hk_target_relation
-- tripwire: CREATE TABLE {source_schema}.hk_tripwire_copy (held text);
--   CREATE FUNCTION {target_schema}.hk_tripwire() RETURNS void LANGUAGE plpgsql
--   SET search_path = '' AS $$ BEGIN
--   INSERT INTO {source_schema}.hk_tripwire_copy SELECT t::text FROM {target_relation} AS t;
--   END $$;
-- tripwire-object: {target_schema}.hk_tripwire()
-- good: CREATE FUNCTION {target_schema}.hk_good() RETURNS bigint LANGUAGE sql
--   AS 'SELECT count(*) FROM {target_relation}';
SELECT
    f.oid,
    f.oid::pg_catalog.regprocedure::text AS object,
    false AS definer,
    l.lanname AS language,
    f.prosrc AS source,
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS g
        WHERE
            g.tgfoid = f.oid
            AND NOT g.tgisinternal
            AND g.tgrelid IN (SELECT t.oid FROM hk_target_relation AS t)
    ) AS holds_target,
    false AS holds_source
FROM pg_catalog.pg_proc AS f
INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
WHERE
    f.pronamespace NOT IN (
        SELECT n.oid FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname IN ('pg_catalog', 'information_schema')
    )
    AND f.oid NOT IN (
        SELECT e.objid FROM hk_extension_member AS e
        WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    )
