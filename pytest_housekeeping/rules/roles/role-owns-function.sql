-- title: An untrusted role owns a function, a type or a view that a protected schema relies on
-- level: error
-- why: the owner rewrites it: a function that policies or triggers call then says whatever an
--   attacker wants, and a view reads what its next reader may read. A constraint that the owner of
--   a domain adds is shown the value of every row of that type, whatever the policies hide, and a
--   renamed value of an enum changes them all.
--   https://www.postgresql.org/docs/16/sql-createfunction.html
-- fix: ALTER {kind} {object} OWNER TO {migrator};
-- leak: SELECT oid::pg_catalog.regprocedure, proowner::pg_catalog.regrole FROM pg_catalog.pg_proc
--   WHERE proowner = $hk${role}$hk$::pg_catalog.regrole;
-- examines: hk_function
-- tripwire: CREATE FUNCTION {schema}.hk_tripwire() RETURNS integer LANGUAGE sql AS 'SELECT 1';
--   GRANT CREATE ON SCHEMA {schema} TO {role};
--   ALTER FUNCTION {schema}.hk_tripwire() OWNER TO {role};
-- tripwire-object: {schema}.hk_tripwire()
-- good: CREATE FUNCTION {schema}.hk_good() RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT
    o.object,
    h.words AS detail,
    o.kind,
    pg_catalog.format('%I', current_user) AS migrator,
    h.fix
FROM (
    SELECT 'ROUTINE' AS kind, f.object, f.owner
    FROM hk_function AS f
    WHERE f.schema_oid IN (SELECT s.oid FROM hk_schema AS s)
    UNION ALL
    -- Functions elsewhere that operators, casts, types, policies and the like are made of.
    SELECT DISTINCT 'ROUTINE', f.object, f.owner
    FROM hk_function AS f
    INNER JOIN pg_catalog.pg_depend AS d
        ON f.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    WHERE
        f.schema_oid NOT IN (SELECT s.oid FROM hk_schema AS s)
        AND d.deptype = 'n'
        AND d.classid <> 'pg_catalog.pg_proc'::pg_catalog.regclass
    UNION
    -- And those that the bodies of the functions call; PostgreSQL keeps no dependency of a text.
    SELECT 'ROUTINE', f.object, f.owner
    FROM hk_function AS f
    INNER JOIN hk_owner AS h ON f.owner = h.oid
    WHERE
        f.schema_oid NOT IN (SELECT s.oid FROM hk_schema AS s)
        AND EXISTS (
            SELECT FROM hk_function AS g
            INNER JOIN pg_catalog.pg_proc AS p ON g.oid = p.oid
            WHERE
                g.schema_oid IN (SELECT s.oid FROM hk_schema AS s)
                AND (
                    (
                        p.prosqlbody IS NULL
                        AND p.prosrc ~ (
                            '\m' || pg_catalog.regexp_replace(f.name, '(\W)', '\\\1', 'g') || '"?\s*\('
                        )
                    )
                    OR EXISTS (
                        SELECT FROM pg_catalog.pg_depend AS d
                        WHERE
                            d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                            AND d.objid = p.oid
                            AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                            AND d.refobjid = f.oid
                    )
                )
        )
    UNION ALL
    SELECT
        CASE c.relkind
            WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            ELSE 'FOREIGN TABLE'
        END,
        s.object || pg_catalog.format('.%I', c.relname),
        c.relowner
    FROM pg_catalog.pg_class AS c
    INNER JOIN hk_schema AS s ON c.relnamespace = s.oid
    WHERE
        c.relkind IN ('v', 'm', 'f', 'S')
        -- The sequence of a column goes with its table.
        AND NOT (
            c.relkind = 'S'
            AND EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                WHERE
                    d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid
                    AND d.deptype IN ('a', 'i')
            )
        )
    UNION ALL
    -- Domains, enums, ranges and composite types. A table's rows, arrays and multiranges go with what
    -- they are of.
    SELECT
        CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
        s.object || pg_catalog.format('.%I', t.typname),
        t.typowner
    FROM (
        SELECT p.typtype, p.typname, p.typowner, p.typnamespace, p.typrelid
        FROM pg_catalog.pg_type AS p
        WHERE p.typtype IN ('c', 'd', 'e', 'r') AND p.typowner IN (SELECT h.oid FROM hk_owner AS h)
        OFFSET 0
    ) AS t
    INNER JOIN hk_schema AS s ON t.typnamespace = s.oid
    WHERE
        NOT EXISTS (
            SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = t.typrelid AND c.relkind <> 'c'
        )
) AS o
INNER JOIN hk_owner AS h ON o.owner = h.oid
