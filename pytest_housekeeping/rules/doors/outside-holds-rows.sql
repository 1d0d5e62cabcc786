-- title: Rows of protected tables lie open outside the protected schemas
-- level: error
-- why: a copy, an export, a partition or a table of details beside the protected schemas has no
--   policy of theirs. An untrusted role that may read it reads there, for every tenant, what the
--   policies hide here. What such a role does with a parent beside them, it does with the rows of
--   the children here, and only the parent's policies are asked.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: REVOKE ALL ON {object} FROM {grantees};
--   -- or move it into a schema of rls.toml, with row-level security and a policy
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {object} LIMIT 5; -- rows of everybody
--   ROLLBACK;
-- examines: hk_any_table
-- tripwire: CREATE TABLE {schema}.hk_tripwire (hk_tenant integer NOT NULL, note text);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_tripwire TO {role}
--   USING (hk_tenant = nullif(current_setting('{setting}', true), '')::integer);
--   CREATE SCHEMA {tripwire_role};
--   GRANT USAGE ON SCHEMA {tripwire_role} TO {role};
--   CREATE TABLE {tripwire_role}.copy AS TABLE {schema}.hk_tripwire;
--   GRANT SELECT ON {tripwire_role}.copy TO {role};
-- tripwire-object: {tripwire_role}.copy
-- good: CREATE SCHEMA hk_good_beside;
--   GRANT USAGE ON SCHEMA hk_good_beside TO {role};
--   CREATE TABLE hk_good_beside.country (code text PRIMARY KEY, title text);
--   GRANT SELECT ON hk_good_beside.country TO {role};
WITH RECURSIVE heir (oid, object) AS (
    SELECT i.inhrelid, t.object
    FROM pg_catalog.pg_inherits AS i INNER JOIN hk_any_table AS t ON i.inhparent = t.oid
    UNION
    SELECT i.inhrelid, h.object
    FROM pg_catalog.pg_inherits AS i INNER JOIN heir AS h ON i.inhparent = h.oid
),

forebear (oid, object) AS (
    SELECT i.inhparent, t.object
    FROM pg_catalog.pg_inherits AS i INNER JOIN hk_any_table AS t ON i.inhrelid = t.oid
    UNION
    SELECT i.inhparent, f.object
    FROM pg_catalog.pg_inherits AS i INNER JOIN forebear AS f ON i.inhrelid = f.oid
),

-- A column alone in a unique key tells rows apart and not tenants: an id, which any table has.
key_column AS (
    SELECT DISTINCT i.indrelid AS table_oid, i.indkey[0] AS attnum
    FROM pg_catalog.pg_index AS i
    WHERE i.indisunique AND i.indnkeyatts = 1
),

identity AS (
    SELECT a.attname AS name, a.atttypid AS type, pg_catalog.min(t.object) AS table_object
    FROM hk_identity AS i
    INNER JOIN hk_any_table AS t ON i.table_oid = t.oid
    INNER JOIN pg_catalog.pg_attribute AS a ON i.table_oid = a.attrelid AND i.attnum = a.attnum
    LEFT JOIN key_column AS k ON i.table_oid = k.table_oid AND i.attnum = k.attnum
    WHERE k.table_oid IS NULL
    GROUP BY a.attname, a.atttypid
),

-- What a table is made of, as one text.
shape AS (
    SELECT
        a.attrelid AS oid,
        pg_catalog.count(*) AS columns,
        pg_catalog.array_agg(pg_catalog.format('%s %s', a.attname, a.atttypid)) AS parts,
        pg_catalog.md5(pg_catalog.string_agg(
            pg_catalog.format('%s %s', a.attname, a.atttypid), ',' ORDER BY a.attname COLLATE "C"
        )) AS columns_text
    FROM pg_catalog.pg_attribute AS a
    WHERE
        a.attnum > 0
        AND NOT a.attisdropped
        AND (
            a.attrelid IN (SELECT o.oid FROM hk_outside AS o WHERE o.relkind IN ('r', 'p'))
            OR a.attrelid IN (SELECT t.oid FROM hk_any_table AS t)
        )
    GROUP BY a.attrelid
),

-- Tables without a key, as CREATE TABLE AS makes them, by each part of their name.
called_as AS (
    SELECT DISTINCT
        o.oid, pg_catalog.rtrim(pg_catalog.array_to_string(w.words[b.first:e.last], '_'), 's') AS name
    FROM hk_outside AS o
    CROSS JOIN LATERAL (SELECT pg_catalog.regexp_split_to_array(o.name, '_+') AS words) AS w
    CROSS JOIN LATERAL pg_catalog.generate_subscripts(w.words, 1) AS b (first)
    CROSS JOIN LATERAL pg_catalog.generate_series(b.first, pg_catalog.cardinality(w.words)) AS e (last)
    WHERE
        o.relkind IN ('r', 'p')
        AND o.oid NOT IN (SELECT k.conrelid FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'p')
        -- What others point at is a list of words.
        AND o.oid NOT IN (SELECT k.confrelid FROM pg_catalog.pg_constraint AS k)
    OFFSET 0
),

-- Those that are called after a protected table: project_names, old_projects.
called AS (
    SELECT c.oid, t.oid AS table_oid, t.object
    FROM called_as AS c
    INNER JOIN hk_any_table AS t ON c.name = pg_catalog.rtrim(t.name::text, 's')
    WHERE t.row_security
),

-- Those that bear its name with a mark of a copy behind it. Many tables have the same few columns:
-- they are compared where the names are alike.
alike AS (
    SELECT o.oid, t.oid AS table_oid, t.object
    FROM (
        SELECT
            c.oid,
            pg_catalog.regexp_replace(
                c.name, '(_?(old|copy|backup|bak|archive|export|tmp|[0-9]))+$', ''
            ) AS name
        FROM hk_outside AS c
        OFFSET 0
    ) AS o
    INNER JOIN hk_any_table AS t ON o.name = t.name
    WHERE t.row_security
    OFFSET 0
),

held (oid, words) AS (
    SELECT h.oid, pg_catalog.format('it is a part of %s', h.object) FROM heir AS h
    UNION ALL
    SELECT f.oid, pg_catalog.format('the rows of %s are among its own', f.object) FROM forebear AS f
    UNION ALL
    SELECT
        o.oid,
        pg_catalog.format('%I, by which the rows of %s are told apart, is a column of it', i.name, i.table_object)
    FROM hk_outside AS o
    INNER JOIN pg_catalog.pg_attribute AS a ON o.oid = a.attrelid
    INNER JOIN identity AS i ON a.attname = i.name AND a.atttypid = i.type
    LEFT JOIN key_column AS k ON o.oid = k.table_oid AND a.attnum = k.attnum
    WHERE o.relkind IN ('r', 'p') AND k.table_oid IS NULL
    UNION ALL
    SELECT s.oid, pg_catalog.format('it has the columns of %s', p.object)
    FROM shape AS s
    INNER JOIN hk_outside AS o ON s.oid = o.oid
    INNER JOIN (
        SELECT h.columns_text, pg_catalog.min(t.object) AS object
        FROM shape AS h INNER JOIN hk_any_table AS t ON h.oid = t.oid
        WHERE t.row_security
        GROUP BY h.columns_text
    ) AS p ON s.columns_text = p.columns_text
    WHERE s.columns >= 4
    UNION ALL
    -- Of few columns many a table may be made: then it is called alike as well.
    SELECT s.oid, pg_catalog.format('it has the columns of %s', pg_catalog.min(t.object))
    FROM alike AS t
    INNER JOIN shape AS s ON t.oid = s.oid
    INNER JOIN shape AS p ON t.table_oid = p.oid AND s.columns_text = p.columns_text
    WHERE s.columns BETWEEN 2 AND 3
    GROUP BY s.oid
    UNION ALL
    SELECT c.oid, pg_catalog.format('all its columns are columns of %s, and it is called after it', pg_catalog.min(c.object))
    FROM called AS c
    INNER JOIN shape AS s ON c.oid = s.oid
    INNER JOIN shape AS p ON c.table_oid = p.oid
    WHERE s.parts <@ p.parts
    GROUP BY c.oid
    UNION ALL
    -- Whole rows as JSON have no columns to go by: a cache, a dump.
    SELECT o.oid, pg_catalog.format('it is called a copy of %s, and holds JSON', pg_catalog.min(t.object))
    FROM hk_outside AS o
    INNER JOIN pg_catalog.pg_attribute AS a ON o.oid = a.attrelid
    INNER JOIN hk_any_table AS t
        ON
            pg_catalog.rtrim(
                pg_catalog.regexp_replace(
                    o.name, '(_(cache|dump|snapshot|mirror|old|copy|backup|bak|archive|export|tmp)s?)+$', ''
                ), 's'
            ) = pg_catalog.rtrim(t.name::text, 's')
    WHERE
        t.row_security
        AND pg_catalog.rtrim(o.name::text, 's') <> pg_catalog.rtrim(t.name::text, 's')
        AND a.atttypid IN ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.jsonb'::pg_catalog.regtype)
    GROUP BY o.oid
    UNION ALL
    SELECT k.conrelid, pg_catalog.format('its rows belong to rows of %s', pg_catalog.min(t.object))
    FROM pg_catalog.pg_constraint AS k
    INNER JOIN hk_any_table AS t ON k.confrelid = t.oid
    WHERE k.contype = 'f' AND t.row_security
    GROUP BY k.conrelid
),

-- The tables whose own policies let every row through, or that have none.
uncovered AS (
    SELECT o.oid, pg_catalog.min(h.words) AS words
    FROM held AS h
    INNER JOIN hk_outside AS o ON h.oid = o.oid
    WHERE
        NOT o.row_security
        OR (
            EXISTS (
                SELECT FROM pg_catalog.pg_policy AS p
                WHERE
                    p.polrelid = o.oid
                    AND p.polpermissive
                    AND p.polcmd IN ('r', '*')
                    AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
                    AND (
                        p.polroles @> ARRAY[0::oid]
                        OR EXISTS (SELECT FROM hk_reach AS r WHERE p.polroles @> ARRAY[r.oid])
                    )
            )
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_policy AS p
                WHERE p.polrelid = o.oid AND NOT p.polpermissive
            )
        )
    GROUP BY o.oid
),

shown (oid, words) AS (
    SELECT u.oid, u.words FROM uncovered AS u
    UNION
    SELECT v.oid, pg_catalog.format('it shows %s: %s', s.oid::pg_catalog.regclass, s.words)
    FROM shown AS s
    INNER JOIN hk_view_reads AS r ON s.oid = r.relation_oid
    INNER JOIN hk_outside AS v ON r.view_oid = v.oid
    INNER JOIN pg_catalog.pg_class AS c ON v.oid = c.oid
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS x
        WHERE x.option_name = 'security_invoker' AND x.option_value::boolean
    )
)

SELECT
    o.object,
    pg_catalog.format(
        'no policy filters it, and %s may %s it: %s',
        pg_catalog.string_agg(DISTINCT a.role_object, ', '),
        CASE WHEN pg_catalog.bool_or(a.privilege = 'SELECT') THEN 'read' ELSE 'change' END,
        pg_catalog.min(s.words)
    ) AS detail,
    pg_catalog.string_agg(DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', ') AS grantees,
    pg_catalog.min(a.role_object) AS role,
    CASE
        WHEN pg_catalog.bool_or(a.grantee = o.owner)
            THEN pg_catalog.format('ALTER TABLE %s OWNER TO %I;', o.object, current_user)
        ELSE pg_catalog.min(l.fix)
    END AS fix
FROM shown AS s
INNER JOIN hk_outside AS o ON s.oid = o.oid
INNER JOIN hk_outside_access AS a ON o.oid = a.oid
LEFT JOIN pg_catalog.pg_roles AS r ON a.grantee = r.oid
LEFT JOIN hk_lent AS l ON a.grantee = l.oid
WHERE
    a.privilege = 'SELECT'
    OR (
        a.privilege IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
        AND o.oid IN (SELECT f.oid FROM forebear AS f)
    )
GROUP BY o.object, o.owner
