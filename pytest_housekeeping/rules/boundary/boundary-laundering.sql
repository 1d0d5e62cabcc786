-- title: A function carries what the target holds over to the source
-- level: error
-- why: rows that are copied into a schema of the source are the source's to read, whatever the
--   grants of the target say. The copy may be made by a trigger of the target's own tables, also to
--   where the source may read though it is nobody's, or into a notification, which any role may
--   LISTEN for; by what a constraint or a default of theirs calls; or by a function of anybody's that names both sides.
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
    g.keys,
    coalesce(g.holds_target, false)
    OR f.oid IN (
        -- What constraints, defaults, indexes and conditions of the target's tables call.
        SELECT d.refobjid
        FROM pg_catalog.pg_depend AS d
        LEFT JOIN pg_catalog.pg_constraint AS k
            ON d.objid = k.oid AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        LEFT JOIN pg_catalog.pg_attrdef AS e
            ON d.objid = e.oid AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        LEFT JOIN pg_catalog.pg_trigger AS c
            ON d.objid = c.oid AND d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
        LEFT JOIN pg_catalog.pg_index AS x
            ON d.objid = x.indexrelid AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        WHERE
            d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND d.refobjid >= 16384
            AND coalesce(k.conrelid, e.adrelid, c.tgrelid, x.indrelid) IN (
                SELECT t.oid FROM hk_target_relation AS t
            )
    ) AS set_off,
    pg_catalog.concat_ws(
        ' ', g.drops, pg_catalog.format('DROP ROUTINE %s;', f.object)
    ) AS repair
FROM hk_function_body AS f
LEFT JOIN (
    SELECT
        g.tgfoid,
        pg_catalog.bool_or(g.tgrelid IN (SELECT t.oid FROM hk_target_relation AS t)) AS holds_target,
        pg_catalog.jsonb_agg(DISTINCT k.name) FILTER (WHERE k.name IS NOT NULL) AS keys,
        pg_catalog.string_agg(
            DISTINCT pg_catalog.format(
                'DROP TRIGGER %I ON %s;', g.tgname, g.tgrelid::pg_catalog.regclass
            ),
            ' '
        ) AS drops
    FROM pg_catalog.pg_trigger AS g
    -- The key of its table, and what points at others: they tell which row, and no more.
    LEFT JOIN LATERAL (
        SELECT a.attname AS name
        FROM pg_catalog.pg_constraint AS k
        INNER JOIN pg_catalog.pg_attribute AS a
            ON k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)
        WHERE
            k.conrelid = g.tgrelid
            AND k.contype IN ('p', 'f')
            AND g.tgrelid IN (SELECT t.oid FROM hk_target_relation AS t)
    ) AS k ON true
    WHERE NOT g.tgisinternal
    GROUP BY g.tgfoid
) AS g ON f.oid = g.tgfoid
