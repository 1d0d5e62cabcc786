-- title: A policy is true for every row
-- level: error
-- why: permissive policies are joined by OR: one that is always true switches row-level
--   security off for its command and its roles, whatever the others say. An attacker reads, or
--   writes, the rows of every tenant.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
--   -- and write one that compares a column with the identity, or make it AS RESTRICTIVE
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {on} LIMIT 5; -- rows of everybody
--   ROLLBACK;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire FORCE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role} USING (true);
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   CREATE POLICY shut ON {schema}.hk_good FOR DELETE TO {role} USING (false);
WITH RECURSIVE suspect AS (
    SELECT t.tree FROM hk_tree AS t
    WHERE
        pg_catalog.strpos(t.tree, '{VAR :varno') = 0
        OR pg_catalog.strpos(t.tree, '{BOOLEXPR :boolop or') > 0
        OR pg_catalog.strpos(t.tree, '{BOOLEXPR :boolop not') > 0
        OR pg_catalog.strpos(t.tree, '{CASEEXPR') > 0
        OR pg_catalog.strpos(t.tree, '{CASE ') > 0
        OR pg_catalog.strpos(t.tree, '{NULLTEST') > 0
        OR pg_catalog.strpos(t.tree, '{BOOLEANTEST') > 0
        OR pg_catalog.strpos(t.tree, '{DISTINCTEXPR') > 0
        OR pg_catalog.strpos(t.tree, '{CONST :consttype 16 ') > 0
        -- The same column on both sides.
        OR EXISTS (
            SELECT FROM pg_catalog.unnest(
                (pg_catalog.string_to_array(t.tree, ':args ({VAR :varno 1 :varattno '))[2:]
            ) AS m (rest)
            WHERE
                pg_catalog.strpos(m.rest, '} {VAR :varno 1 :varattno ')
                = pg_catalog.strpos(m.rest, '}')
                AND pg_catalog.split_part(m.rest, ' ', 1) = pg_catalog.split_part(
                    pg_catalog.substr(m.rest, pg_catalog.strpos(m.rest, '}') + 26), ' ', 1
                )
        )
),

clause AS (
    SELECT
        k.policy_oid,
        k.name,
        k.tree !~ '\{(VAR|FUNCEXPR|SUBLINK|PARAM|SQLVALUEFUNCTION|COERCEVIAIO)\M' AS constant,
        pg_catalog.pg_get_expr(
            CASE WHEN k.name = 'USING' THEN p.polqual ELSE p.polwithcheck END, k.table_oid
        ) AS expression,
        k.table_oid
    FROM hk_clause AS k
    INNER JOIN suspect AS s ON k.tree = s.tree
    INNER JOIN hk_policy_fact AS p ON k.policy_oid = p.oid
),

-- Whatever stands in a literal with spaces or brackets is left alone; a column that is NOT NULL
-- answers IS NOT NULL; a sub-select that reads nothing exists.
prepared AS (
    SELECT DISTINCT
        c.policy_oid,
        c.name,
        c.constant,
        c.expression,
        pg_catalog.regexp_replace(
            pg_catalog.regexp_replace(
                CASE
                    WHEN n.names IS NULL THEN literal.free
                    ELSE pg_catalog.regexp_replace(
                        literal.free, '\((' || n.names || ') IS NOT NULL\)', 'true', 'g'
                    )
                END,
                'EXISTS \( SELECT( [[:alnum:]_'':.]+( AS "?[[:alnum:]_?]+"?)?)?\)', 'true', 'g'
            ),
            '(true|false)::boolean', '\1', 'g'
        ) AS text
    FROM clause AS c
    CROSS JOIN LATERAL (
        SELECT pg_catalog.string_agg(
            CASE
                WHEN p.place % 2 = 0 AND p.part ~ '\W' THEN pg_catalog.md5(p.part) ELSE p.part
            END, '''' ORDER BY p.place
        ) AS free
        FROM pg_catalog.unnest(
            pg_catalog.string_to_array(c.expression, '''')
        ) WITH ORDINALITY AS p (part, place)
    ) AS literal
    CROSS JOIN LATERAL (
        SELECT pg_catalog.string_agg(
            pg_catalog.regexp_replace(
                pg_catalog.format('%I', a.attname), '([^[:alnum:]_])', '\\\1', 'g'
            ), '|'
        ) AS names
        FROM hk_policy_column AS o
        INNER JOIN pg_catalog.pg_attribute AS a ON o.table_oid = a.attrelid AND o.attnum = a.attnum
        WHERE o.policy_oid = c.policy_oid AND a.attnotnull
    ) AS n
),

-- Brackets are folded from the inside: each innermost pair becomes true, false, or one word.
folded (text, result, round) AS (
    SELECT DISTINCT p.text, '(' || p.text || ')', 0 FROM prepared AS p
    UNION ALL
    SELECT f.text, g.result, f.round + 1
    FROM folded AS f
    CROSS JOIN LATERAL (
        SELECT (pg_catalog.regexp_match(f.result, '\(([^()]*)\)'))[1] AS inner_text
    ) AS i
    CROSS JOIN LATERAL (
        SELECT pg_catalog.regexp_match(
            i.inner_text, '^(-?\d+(?:\.\d+)?) (=|<>|<|>|<=|>=) (-?\d+(?:\.\d+)?)$'
        ) AS part
    ) AS n
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN i.inner_text ~ '^ ?(SELECT )?(true|NOT false|true IS TRUE|true IS NOT FALSE|true = true|false IS FALSE|false IS NOT TRUE)( AS "?\w+"?)?$'
                THEN 'true'
            WHEN i.inner_text ~ '^ ?(SELECT )?(false|NOT true|true IS FALSE|false IS TRUE)( AS "?\w+"?)?$'
                THEN 'false'
            WHEN i.inner_text ~ '(^| OR )true($| OR )' THEN 'true'
            WHEN i.inner_text ~ '(^| AND )false($| AND )' THEN 'false'
            WHEN i.inner_text ~ '^true( AND true)+$' THEN 'true'
            WHEN i.inner_text ~ '^false( OR false)+$' THEN 'false'
            WHEN i.inner_text ~ '^(\S+) (=|<=|>=) \1$' THEN 'true'
            WHEN i.inner_text ~ '^(\S+) (<>|<|>) \1$' THEN 'false'
            WHEN n.part[2] = '=' THEN (n.part[1]::numeric = n.part[3]::numeric)::text
            WHEN n.part[2] = '<>' THEN (n.part[1]::numeric <> n.part[3]::numeric)::text
            WHEN n.part[2] = '<' THEN (n.part[1]::numeric < n.part[3]::numeric)::text
            WHEN n.part[2] = '<=' THEN (n.part[1]::numeric <= n.part[3]::numeric)::text
            WHEN n.part[2] = '>' THEN (n.part[1]::numeric > n.part[3]::numeric)::text
            WHEN n.part[2] = '>=' THEN (n.part[1]::numeric >= n.part[3]::numeric)::text
            WHEN i.inner_text ~ '^''\w*''(::\w+)? = ''\w*''(::\w+)?$' THEN 'false'
            WHEN i.inner_text ~ '^''\w*''(::\w+)? <> ''\w*''(::\w+)?$' THEN 'true'
            WHEN i.inner_text ~ '(^| OR )[‹]([^‹›]+) IS NULL[›]( OR .*)? OR [‹]\2 IS NOT NULL[›]($| OR )' THEN 'true'
            WHEN i.inner_text ~ '(^| OR )[‹]([^‹›]+) IS NOT NULL[›]( OR .*)? OR [‹]\2 IS NULL[›]($| OR )' THEN 'true'
            WHEN i.inner_text ~ '(^| OR )([‹].*[›]|\w+)( OR .*)? OR [‹]NOT \2[›]($| OR )' THEN 'true'
            WHEN i.inner_text ~ '(^| OR )[‹]NOT ([‹].*[›]|\w+)[›]( OR .*)? OR \2($| OR )' THEN 'true'
            WHEN i.inner_text ~ '^‹NOT ‹(\S+) IS DISTINCT FROM \1››$' THEN 'true'
            WHEN i.inner_text ~ '^NOT ‹(\S+) IS DISTINCT FROM \1›$' THEN 'true'
            WHEN i.inner_text ~ '^‹?\s*CASE(\s+WHEN .*? THEN true)+\s+ELSE true\s+END\s*›?$' THEN 'true'
            WHEN i.inner_text ~ '^‹[^‹›]*›$' THEN i.inner_text
            ELSE '‹' || i.inner_text || '›'
        END AS folded
    ) AS w
    CROSS JOIN LATERAL (
        SELECT pg_catalog.regexp_replace(
            pg_catalog.replace(f.result, '(' || i.inner_text || ')', w.folded),
            '(true|false)::boolean', '\1', 'g'
        ) AS result
    ) AS g
    WHERE i.inner_text IS NOT NULL AND f.round < 200
),

judged AS (
    SELECT
        p.policy_oid,
        p.name,
        p.expression,
        EXISTS (
            SELECT FROM folded AS f
            WHERE
                f.text = p.text
                AND (
                    f.result = 'true'
                    -- A constant that could not be folded: nothing about a row decides it.
                    OR (p.constant AND f.result !~ '[()]' AND f.result !~ '^‹?(false|NULL)')
                )
        ) AS always_true
    FROM prepared AS p
)

SELECT
    p.object,
    pg_catalog.format(
        '%s is true for every row: for %s it is as if row-level security were off',
        pg_catalog.string_agg(
            pg_catalog.format('%s (%s)', j.name, j.expression), ' and ' ORDER BY j.name
        ),
        p.role_objects
    ) AS detail
FROM hk_opening AS p
INNER JOIN judged AS j ON p.oid = j.policy_oid
WHERE
    j.always_true
    AND NOT (
        p.command = 'r'
        AND EXISTS (
            SELECT FROM hk_public AS o WHERE o.table_oid = p.table_oid AND o.rows = 'true'
        )
    )
    -- PERMISSIVE true beside a RESTRICTIVE condition for the same command and roles is sound.
    AND NOT EXISTS (
        SELECT FROM hk_policy_fact AS other
        WHERE
            other.table_oid = p.table_oid
            AND NOT other.permissive
            AND other.command IN ('*', p.command)
            AND (other.roles @> ARRAY[0::oid] OR other.roles @> p.roles)
            AND CASE
                WHEN j.name = 'WITH CHECK' THEN coalesce(other.polwithcheck, other.polqual)
                ELSE other.polqual
            END IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM judged AS k
                WHERE
                    k.policy_oid = other.oid
                    AND k.always_true
                    AND k.name = CASE
                        WHEN j.name = 'WITH CHECK' AND other.polwithcheck IS NOT NULL THEN 'WITH CHECK'
                        ELSE 'USING'
                    END
            )
    )
GROUP BY p.object, p.role_objects
