-- title: A function carries what the target holds over to the source
-- level: error
-- why: rows that are copied into a schema of the source are the source's to read, whatever the
--   grants of the target say. The copy may be made by a trigger of the target's own tables, or by
--   a function of anybody's that names both sides.
--   https://www.postgresql.org/docs/16/sql-createtrigger.html
-- fix: -- let {object} leave the source's relations alone; where nobody needs it any more:
--   {repair}
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
    f.object,
    false AS definer,
    f.language,
    f.source,
    coalesce(g.holds_target, false) AS holds_target,
    false AS holds_source,
    pg_catalog.concat_ws(
        ' ', g.drops, pg_catalog.format('DROP ROUTINE %s;', f.object)
    ) AS repair
FROM hk_function_body AS f
LEFT JOIN (
    SELECT
        g.tgfoid,
        pg_catalog.bool_or(g.tgrelid IN (SELECT t.oid FROM hk_target_relation AS t)) AS holds_target,
        pg_catalog.string_agg(
            pg_catalog.format('DROP TRIGGER %I ON %s;', g.tgname, g.tgrelid::pg_catalog.regclass),
            ' ' ORDER BY g.oid
        ) AS drops
    FROM pg_catalog.pg_trigger AS g
    WHERE NOT g.tgisinternal
    GROUP BY g.tgfoid
) AS g ON f.oid = g.tgfoid
