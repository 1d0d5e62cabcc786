"""The query behind ``read_shapes``: tables, their constraints, and the tables they refer to."""

from __future__ import annotations

# Words in a trigger function that reach what a rollback does not undo, or other sessions.
_OUTWARD = r"\m(dblink\w*|http\w*|net\.http\w*|pg_notify|notify|lo_\w+|copy|pg_read_\w*file\w*)\M"

SHAPES = (
    """
WITH RECURSIVE hk_needed (oid) AS (
    SELECT c.oid
    FROM ROWS FROM (
        pg_catalog.unnest({schemas}::text[]), pg_catalog.unnest({names}::text[])
    ) AS w (schema, name)
    INNER JOIN pg_catalog.pg_namespace AS n ON w.schema = n.nspname
    INNER JOIN pg_catalog.pg_class AS c ON n.oid = c.relnamespace AND w.name = c.relname
    UNION
    SELECT k.confrelid
    FROM hk_needed AS h
    -- By the index: joined, each key would be compared with each table.
    CROSS JOIN LATERAL (
        SELECT f.confrelid FROM pg_catalog.pg_constraint AS f
        WHERE f.conrelid = h.oid AND f.contype = 'f'
        OFFSET 0
    ) AS k
),
hk_based (oid, typid, typmod, depth) AS (
    SELECT t.oid, t.oid, -1, 0
    FROM pg_catalog.pg_type AS t
    WHERE t.oid IN (
        SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
        INNER JOIN hk_needed AS h ON a.attrelid = h.oid
    )
    UNION ALL
    SELECT b.oid, t.typbasetype, t.typtypmod, b.depth + 1
    FROM hk_based AS b
    INNER JOIN pg_catalog.pg_type AS t ON b.typid = t.oid
    WHERE t.typtype = 'd'
),
hk_base AS (
    SELECT DISTINCT ON (b.oid) b.oid, b.typid, b.typmod
    FROM hk_based AS b
    ORDER BY b.oid, b.depth DESC
),
-- What is the same of each column of a type.
hk_type AS MATERIALIZED (
    SELECT
        b.oid,
        b.typid,
        b.typmod,
        t.typname,
        t.typtype,
        t.typcategory,
        coalesce(
            (
                SELECT pg_catalog.format_type(r.rngsubtype, NULL)
                FROM pg_catalog.pg_range AS r
                WHERE b.typid IN (r.rngtypid, r.rngmultitypid)
            ),
            ''
        ) AS element,
        (
            SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute AS f
            WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
        ) AS arity,
        (
            SELECT coalesce(pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder), '[]')
            FROM pg_catalog.pg_enum AS e
            WHERE e.enumtypid = b.typid
        ) AS labels,
        (
            SELECT coalesce(
                pg_catalog.json_agg(pg_catalog.pg_get_expr(k.conbin, 0) ORDER BY k.conname), '[]'
            )
            FROM hk_based AS d
            INNER JOIN pg_catalog.pg_constraint AS k ON d.typid = k.contypid
            WHERE d.oid = b.oid AND k.contype = 'c'
        ) AS checks,
        EXISTS (
            SELECT FROM hk_based AS d
            INNER JOIN pg_catalog.pg_type AS y ON d.typid = y.oid
            WHERE d.oid = b.oid AND y.typnotnull
        ) AS required
    FROM hk_base AS b
    INNER JOIN pg_catalog.pg_type AS t ON b.typid = t.oid
)
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'object', pg_catalog.format('%I.%I', n.nspname, c.relname),
    'no_force', CASE
        WHEN
            c.relrowsecurity AND c.relforcerowsecurity
            AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
            AND NOT (
                SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r
                WHERE r.rolname = current_user
            )
            THEN pg_catalog.format(
                'ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY;', n.nspname, c.relname
            )
        ELSE ''
    END,
    'columns', (
        SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', a.attname,
            'quoted', pg_catalog.format('%I', a.attname),
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
            'base', pg_catalog.format_type(
                b.typid, CASE WHEN b.typid = a.atttypid THEN a.atttypmod ELSE b.typmod END
            ),
            'plain', b.typname,
            'kind', b.typtype,
            'category', b.typcategory,
            'typmod', CASE WHEN b.typid = a.atttypid THEN a.atttypmod ELSE b.typmod END,
            'element', b.element,
            'arity', b.arity,
            'labels', b.labels,
            'checks', b.checks,
            'required', a.attnotnull OR b.required,
            'default', CASE
                WHEN a.atthasdef AND a.attgenerated = '' THEN coalesce(
                    (
                        SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid)
                        FROM pg_catalog.pg_attrdef AS d
                        WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum
                    ),
                    ''
                )
                ELSE ''
            END,
            'identity', a.attidentity,
            'generated', a.attgenerated <> ''
        ) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute AS a
        INNER JOIN hk_type AS b ON a.atttypid = b.oid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ),
    'checks', (
        SELECT coalesce(
            pg_catalog.json_agg(pg_catalog.pg_get_expr(k.conbin, k.conrelid) ORDER BY k.conname),
            '[]'
        )
        FROM pg_catalog.pg_constraint AS k
        WHERE k.conrelid = c.oid AND k.contype = 'c'
    ),
    'bounds', CASE
        WHEN c.relkind = 'p' THEN (
            SELECT coalesce(
                pg_catalog.json_agg(pg_catalog.pg_get_partition_constraintdef(l.relid)), '[]'
            )
            FROM pg_catalog.pg_partition_tree(c.oid) AS l
            WHERE l.isleaf AND l.relid <> c.oid
        )
        ELSE pg_catalog.json_build_array(pg_catalog.pg_get_partition_constraintdef(c.oid))
    END,
    'keys', (
        SELECT coalesce(pg_catalog.json_agg((
            SELECT pg_catalog.json_agg(a.attname)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::smallint[])
        )), '[]')
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indkey::text <> '0'
    ),
    'references', (
        SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'columns', (
                SELECT pg_catalog.json_agg(a.attname ORDER BY o.n)
                FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS o (num, n)
                INNER JOIN pg_catalog.pg_attribute AS a
                    ON a.attrelid = k.conrelid AND o.num = a.attnum
            ),
            'parent', (
                SELECT pg_catalog.format('%I.%I', pn.nspname, pc.relname)
                FROM pg_catalog.pg_class AS pc
                INNER JOIN pg_catalog.pg_namespace AS pn ON pc.relnamespace = pn.oid
                WHERE pc.oid = k.confrelid
            ),
            'parent_columns', (
                SELECT pg_catalog.json_agg(a.attname ORDER BY o.n)
                FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS o (num, n)
                INNER JOIN pg_catalog.pg_attribute AS a
                    ON a.attrelid = k.confrelid AND o.num = a.attnum
            )
        ) ORDER BY k.conname COLLATE "C"), '[]')
        FROM pg_catalog.pg_constraint AS k
        WHERE k.conrelid = c.oid AND k.contype = 'f'
    ),
    'outward_triggers', (
        SELECT coalesce(pg_catalog.json_agg(g.tgname ORDER BY g.tgname), '[]')
        FROM pg_catalog.pg_trigger AS g
        INNER JOIN pg_catalog.pg_proc AS f ON g.tgfoid = f.oid
        INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
        WHERE
            g.tgrelid = c.oid
            AND NOT g.tgisinternal
            AND g.tgenabled <> 'D'
            AND (
                f.prosrc ~* '"""
    + _OUTWARD
    + """'
                OR NOT (l.lanpltrusted OR l.lanname = 'internal')
            )
    )
) ORDER BY n.nspname, c.relname), '[]')
FROM hk_needed AS h
INNER JOIN pg_catalog.pg_class AS c ON h.oid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
"""
)
