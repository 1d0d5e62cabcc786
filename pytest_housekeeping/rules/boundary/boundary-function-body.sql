-- title: A function that the source sets off reaches into the target
-- level: error
-- why: PostgreSQL keeps no record of what the text of a function names, so no grant and no
--   dependency shows the way. SECURITY DEFINER goes it with the owner's rights; without, the
--   function fails with 42501 on the day it is first called. A trigger is set off by every write,
--   and an operator, a cast, a type, a default or an aggregate of the source's calls what it is made
--   of, also where the schema of that may not be entered. So does what stands on neither side and
--   the source may use.
--   Where a body builds its statements at run time and runs with other rights, only its author
--   knows: a comment in it says what it reaches (-- hk: reaches venture.orders -- reason).
--   https://www.postgresql.org/docs/16/sql-createfunction.html
-- fix: {repair}
--   -- or let {object} do without what belongs to the target
-- leak: SELECT prosecdef, prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- proof: bodies
-- examines: hk_target_relation
-- tripwire: CREATE FUNCTION {source_schema}.hk_tripwire() RETURNS bigint LANGUAGE plpgsql
--   SECURITY DEFINER SET search_path = ''
--   AS $$ BEGIN RETURN (SELECT count(*) FROM {target_relation}); END $$;
--   GRANT EXECUTE ON FUNCTION {source_schema}.hk_tripwire() TO {source_role};
-- tripwire-object: {source_schema}.hk_tripwire()
-- good: CREATE FUNCTION {source_schema}.hk_good() RETURNS integer LANGUAGE sql AS 'SELECT 1';
--   GRANT EXECUTE ON FUNCTION {source_schema}.hk_good() TO {source_role};
WITH made AS (
    -- What objects of the source are made of, and those elsewhere that it uses.
    SELECT d.refobjid AS of, d.objid AS oid, coalesce(a.prokind = 'a', false) AS aggregate
    FROM pg_catalog.pg_depend AS d
    INNER JOIN (
        SELECT o.classid, o.objid FROM hk_source_object AS o
        UNION
        SELECT o.classid, o.objid FROM hk_used_object AS o
    ) AS o ON d.classid = o.classid AND d.objid = o.objid
    LEFT JOIN pg_catalog.pg_proc AS a
        ON d.objid = a.oid AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'n'
),

-- The triggers of the source's tables, and of others that it writes to, by the function that they
-- call.
fired AS (
    SELECT
        g.tgfoid,
        pg_catalog.bool_or(c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)) AS by_source,
        pg_catalog.string_agg(
            pg_catalog.format('DROP TRIGGER %I ON %s;', g.tgname, g.tgrelid::pg_catalog.regclass),
            ' ' ORDER BY g.oid
        ) AS drops
    FROM pg_catalog.pg_trigger AS g
    INNER JOIN pg_catalog.pg_class AS c ON g.tgrelid = c.oid
    WHERE
        NOT g.tgisinternal
        AND (
            c.relnamespace IN (SELECT s.oid FROM hk_source_schema AS s)
            OR c.oid IN (SELECT u.oid FROM hk_used_elsewhere AS u WHERE u.writes)
        )
    GROUP BY g.tgfoid
),

aggregates AS (
    SELECT
        m.of,
        pg_catalog.string_agg(
            pg_catalog.format('DROP AGGREGATE %s;', m.oid::pg_catalog.regprocedure),
            ' ' ORDER BY m.oid
        ) AS drops
    FROM made AS m
    WHERE m.aggregate
    GROUP BY m.of
)

SELECT
    f.oid,
    f.object,
    f.definer,
    f.language,
    f.source,
    false AS holds_target,
    true AS holds_source,
    pg_catalog.concat_ws(
        ' ',
        (
            SELECT pg_catalog.format(
                'REVOKE ALL ON ROUTINE %s FROM %s;',
                f.object,
                pg_catalog.string_agg(DISTINCT e.object, ', ' ORDER BY e.object)
            )
            FROM pg_catalog.aclexplode(
                coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
            ) AS a
            INNER JOIN hk_grantee AS e ON a.grantee = e.oid
            HAVING pg_catalog.count(*) > 0
        ),
        t.drops,
        (
            SELECT pg_catalog.string_agg(
                pg_catalog.format('DROP EVENT TRIGGER %I;', e.evtname), ' ' ORDER BY e.oid
            )
            FROM pg_catalog.pg_event_trigger AS e
            WHERE e.evtfoid = f.oid
        ),
        g.drops
    ) AS repair
FROM hk_function_body AS f
INNER JOIN pg_catalog.pg_proc AS p ON f.oid = p.oid
LEFT JOIN fired AS t ON f.oid = t.tgfoid
LEFT JOIN aggregates AS g ON f.oid = g.of
WHERE
    f.oid NOT IN (SELECT t.oid FROM hk_target_function AS t)
    AND (
        EXISTS (
            SELECT FROM hk_source_reach AS h
            WHERE
                pg_catalog.has_function_privilege(h.oid, f.oid, 'EXECUTE')
                AND pg_catalog.has_schema_privilege(h.oid, f.schema_oid, 'USAGE')
        )
        OR t.by_source
        OR f.oid IN (
            SELECT e.evtfoid FROM pg_catalog.pg_event_trigger AS e WHERE e.evtenabled <> 'D'
        )
        -- To whoever evaluates it, EXECUTE must be granted; of an aggregate, to its owner.
        OR (
            f.oid IN (SELECT m.of FROM made AS m)
            AND EXISTS (
                SELECT FROM hk_source_reach AS h
                WHERE pg_catalog.has_function_privilege(h.oid, f.oid, 'EXECUTE')
            )
        )
        OR g.of IS NOT NULL
    )
