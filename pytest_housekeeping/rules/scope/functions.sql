-- Functions and triggers: who calls them or sets them off, and their bodies.
-- Triggers that an untrusted role sets off: those of protected tables, and of others and of views
-- that it writes to.
hk_set_off AS (
    SELECT t.oid AS table_oid, t.object AS table_object, g.tgname AS name, g.tgfoid AS function_oid
    FROM pg_catalog.pg_trigger AS g
    INNER JOIN (
        SELECT t.oid, t.object FROM hk_table AS t
        UNION ALL
        SELECT o.oid, o.object
        FROM hk_outside AS o
        WHERE o.oid IN (
            SELECT a.oid FROM hk_outside_access AS a
            WHERE a.privilege IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
        )
        UNION
        SELECT v.oid, v.object
        FROM hk_relation_grant AS v
        WHERE v.relkind = 'v' AND v.privilege IN ('INSERT', 'UPDATE', 'DELETE')
    ) AS t ON g.tgrelid = t.oid
    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
),
-- Functions of the protected schemas, and those elsewhere that an untrusted role may call or a
-- trigger that it sets off does.
hk_function AS (
    SELECT
        f.oid,
        n.nspname AS schema,
        f.proname AS name,
        pg_catalog.format(
            '%I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ) AS object,
        f.proowner AS owner,
        f.prosecdef AS security_definer,
        f.proconfig AS settings,
        f.prokind AS kind,
        f.proacl AS acl,
        f.pronamespace AS schema_oid,
        f.prorettype IN (
            'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype
        ) AS for_triggers
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE
        f.oid >= 16384
        AND n.nspname NOT LIKE 'pg\_temp\_%'
        AND f.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
        AND (
            f.pronamespace IN (SELECT s.oid FROM hk_schema AS s)
            OR EXISTS (
                SELECT FROM hk_reach AS h
                WHERE
                    pg_catalog.has_schema_privilege(h.oid, f.pronamespace, 'USAGE')
                    AND pg_catalog.has_function_privilege(h.oid, f.oid, 'EXECUTE')
            )
            OR f.oid IN (SELECT t.function_oid FROM hk_set_off AS t)
        )
),
-- Which untrusted role may call them, by a grant to whom.
hk_caller AS (
    SELECT f.oid, h.role, h.role_object, g.grantee
    FROM hk_function AS f
    CROSS JOIN LATERAL pg_catalog.aclexplode(
        coalesce(f.acl, pg_catalog.acldefault('f', f.owner))
    ) AS g
    INNER JOIN hk_reach AS h
        ON g.grantee = h.oid OR (g.grantee = 0 AND h.oid = h.role AND NOT h.login)
    WHERE
        NOT f.for_triggers
        AND EXISTS (
            SELECT FROM hk_reach AS e
            WHERE e.role = h.role AND pg_catalog.has_schema_privilege(e.oid, f.schema_oid, 'USAGE')
        )
),
-- Who of the untrusted sets such a function off without a trigger, and how.
hk_run_by (oid, role_object, words, grantee) AS (
    SELECT c.oid, c.role_object, 'call it', c.grantee FROM hk_caller AS c
    UNION ALL
    -- What is stored in the catalog calls it by its OID: USAGE on its schema is not asked for, and
    -- of what an aggregate is made of its owner must be allowed to call, nobody else.
    SELECT
        d.oid,
        r.object,
        'set it off by ' || pg_catalog.pg_describe_object(p.classid, p.objid, p.objsubid),
        NULL
    FROM hk_definer AS d
    INNER JOIN hk_acts_past AS a ON d.oid = a.oid
    INNER JOIN pg_catalog.pg_depend AS p
        ON d.oid = p.refobjid AND p.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    CROSS JOIN hk_role AS r
    LEFT JOIN pg_catalog.pg_operator AS o
        ON p.objid = o.oid AND p.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_constraint AS k
        ON p.objid = k.oid AND p.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_attrdef AS t
        ON p.objid = t.oid AND p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_rewrite AS w
        ON p.objid = w.oid AND p.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_proc AS f
        ON p.objid = f.oid AND p.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    -- Of a trigger what WHEN asks; that it calls its function is told elsewhere.
    LEFT JOIN pg_catalog.pg_trigger AS g
        ON
            p.objid = g.oid
            AND p.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
            AND g.tgfoid <> p.refobjid
    LEFT JOIN pg_catalog.pg_index AS x
        ON p.objid = x.indexrelid AND p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    WHERE
        CASE
            WHEN f.prokind = 'a' OR f.prosqlbody IS NOT NULL
                THEN pg_catalog.has_schema_privilege(r.oid, f.pronamespace, 'USAGE')
                    AND pg_catalog.has_function_privilege(r.oid, f.oid, 'EXECUTE')
            WHEN NOT pg_catalog.has_function_privilege(r.oid, d.oid, 'EXECUTE') THEN false
            WHEN o.oid IS NOT NULL THEN pg_catalog.has_schema_privilege(r.oid, o.oprnamespace, 'USAGE')
            WHEN coalesce(k.conrelid, t.adrelid, g.tgrelid, x.indrelid) > 0
                THEN pg_catalog.has_any_column_privilege(
                    r.oid, coalesce(k.conrelid, t.adrelid, g.tgrelid, x.indrelid), 'INSERT, UPDATE'
                )
            WHEN w.oid IS NOT NULL
                THEN pg_catalog.has_any_column_privilege(r.oid, w.ev_class, 'SELECT, INSERT, UPDATE')
                    OR pg_catalog.has_table_privilege(r.oid, w.ev_class, 'DELETE')
            ELSE
                k.contypid > 0
                OR p.classid IN (
                    'pg_catalog.pg_cast'::pg_catalog.regclass,
                    'pg_catalog.pg_type'::pg_catalog.regclass
                )
        END
),
-- The triggers that an untrusted role sets off, and event triggers, which anybody does.
hk_fired (object, function_oid) AS (
    SELECT pg_catalog.format('%I ON %s', s.name, s.table_object), s.function_oid
    FROM hk_set_off AS s
    UNION ALL
    SELECT pg_catalog.format('EVENT TRIGGER %I', e.evtname), e.evtfoid
    FROM pg_catalog.pg_event_trigger AS e
    WHERE e.evtenabled <> 'D'
),
-- The bodies of functions as texts, and their arguments in order; of those that are asked for.
hk_body AS NOT MATERIALIZED (
    SELECT
        f.oid,
        f.proname AS name,
        l.lanname AS language,
        CASE
            WHEN f.prosqlbody IS NULL THEN f.prosrc
            ELSE 'CREATE FUNCTION f() RETURNS void LANGUAGE sql '
                || pg_catalog.pg_get_function_sqlbody(f.oid)
        END AS source,
        (
            SELECT coalesce(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'name', f.proargnames[a.place],
                        -- Numbers, dates, truth values, networks and enums are no free texts. Not
                        -- a join: it would look at all types for each function.
                        'text', a.type <> 'pg_catalog.uuid'::pg_catalog.regtype AND (
                            SELECT t.typcategory IN ('S', 'U', 'A', 'P', 'C', 'X')
                            FROM pg_catalog.pg_type AS t
                            WHERE t.oid = a.type
                        )
                    ) ORDER BY a.place
                ), '[]'
            )
            FROM pg_catalog.unnest(
                coalesce(f.proallargtypes, f.proargtypes::oid[])
            ) WITH ORDINALITY AS a (type, place)
            WHERE f.proargmodes IS NULL OR f.proargmodes[a.place] IN ('i', 'b', 'v')
        ) AS arguments
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    -- From 16384 on an OID is not PostgreSQL's own.
    WHERE f.prokind IN ('f', 'p') AND f.oid >= 16384
)
