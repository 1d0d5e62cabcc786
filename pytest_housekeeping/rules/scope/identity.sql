-- Which columns a policy compares with the session, and which keys leave them out.
-- Columns of its own table that a policy compares with something asked at run time.
hk_identity AS (
    SELECT
        p.oid AS policy_oid,
        p.table_oid,
        p.command,
        p.permissive,
        m.attnum,
        m.name,
        pg_catalog.bool_or(s.clause = 'USING') AS in_using,
        pg_catalog.bool_or(s.clause = 'WITH CHECK') AS in_check
    FROM hk_shape AS s
    INNER JOIN hk_comparison AS m ON s.tree_number = m.tree_number AND s.columns = m.columns
    INNER JOIN hk_policy_fact AS p ON s.policy_oid = p.oid
    GROUP BY p.oid, p.table_oid, p.command, p.permissive, m.attnum, m.name
),
-- Foreign keys of protected tables that leave the identity out.
-- Where a policy of the table reads the other one, it looks at the identity there: a row without an
-- identity of its own belongs to whoever its parent belongs to.
hk_foreign_key AS (
    SELECT
        pg_catalog.format('%I ON %s', k.conname, t.object) AS object,
        pg_catalog.format('%I', k.conname) AS name,
        k.conkey,
        k.confkey,
        k.confdeltype,
        k.confupdtype,
        t.oid AS table_oid,
        t.object AS table_object,
        p.oid AS parent_oid,
        pg_catalog.format('%I.%I', n.nspname, p.relname) AS parent_object,
        p.relrowsecurity AS parent_row_security,
        p.oid IN (SELECT a.oid FROM hk_any_table AS a) AS parent_protected
    FROM pg_catalog.pg_constraint AS k
    INNER JOIN hk_table AS t ON k.conrelid = t.oid
    INNER JOIN pg_catalog.pg_class AS p ON k.confrelid = p.oid
    INNER JOIN pg_catalog.pg_namespace AS n ON p.relnamespace = n.oid
    WHERE
        k.contype = 'f'
        AND k.conparentid = 0
        AND t.row_security
        -- PostgreSQL 18 knows keys that nothing enforces: they tell nothing, and change nothing.
        AND (k.convalidated OR pg_catalog.pg_get_constraintdef(k.oid) NOT LIKE '% NOT ENFORCED')
        AND NOT EXISTS (
            SELECT FROM hk_identity AS i
            WHERE i.table_oid = t.oid AND i.attnum = ANY (k.conkey)
        )
        AND NOT EXISTS (
            SELECT FROM hk_policy_reads AS r
            WHERE r.table_oid = t.oid AND r.relation_oid = p.oid
        )
        -- Nor where nothing but the key says whose a row is: is_member(team_id).
        AND NOT (
            t.oid NOT IN (SELECT i.table_oid FROM hk_identity AS i)
            AND EXISTS (
                SELECT FROM hk_policy_column AS c
                WHERE c.table_oid = t.oid AND c.attnum = ANY (k.conkey)
            )
        )
),
-- What an expression says about its own columns, by its tree and the names that they have. To print
-- one, PostgreSQL loads all that it knows of the table: 10,000 tables that share a policy have it
-- printed for one of them.
hk_shape AS (
    SELECT k.policy_oid, k.name AS clause, t.number AS tree_number, c.columns
    FROM hk_clause AS k
    INNER JOIN hk_tree AS t ON k.tree = t.tree
    INNER JOIN (
        SELECT
            o.policy_oid,
            pg_catalog.jsonb_object_agg(o.attnum, a.attname) AS columns
        FROM hk_policy_column AS o
        INNER JOIN pg_catalog.pg_attribute AS a ON o.table_oid = a.attrelid AND o.attnum = a.attnum
        GROUP BY o.policy_oid
    ) AS c ON k.policy_oid = c.policy_oid
),
hk_compared AS (
    SELECT e.tree_number, e.columns, n.attnum::smallint, n.name::name, e.expression
    FROM (
        SELECT
            s.tree_number,
            s.columns,
            pg_catalog.pg_get_expr(
                CASE WHEN s.clause = 'USING' THEN p.polqual ELSE p.polwithcheck END, p.table_oid
            ) AS expression
        FROM (
            SELECT h.tree_number, h.columns, h.clause, pg_catalog.min(h.policy_oid) AS policy_oid
            FROM hk_shape AS h
            GROUP BY h.tree_number, h.columns, h.clause
        ) AS s
        INNER JOIN hk_policy_fact AS p ON s.policy_oid = p.oid
    ) AS e
    CROSS JOIN LATERAL pg_catalog.jsonb_each_text(e.columns) AS n (attnum, name)
    CROSS JOIN LATERAL (SELECT pg_catalog.quote_ident(n.name) AS name) AS q
    WHERE
        -- Below a sub-select the column carries the name of its table: that is no comparison
        -- of this row alone.
        pg_catalog.strpos(e.expression, '(' || q.name || ' = ') > 0
        OR pg_catalog.strpos(e.expression, '(' || q.name || ' IS DISTINCT ') > 0
        OR pg_catalog.strpos(e.expression, '(' || q.name || ')') > 0
        OR pg_catalog.strpos(e.expression, ' = ' || q.name || ')') > 0
),
hk_comparison AS (
    SELECT c.tree_number, c.columns, c.attnum, c.name
    FROM hk_compared AS c
    INNER JOIN hk_pattern AS w ON c.name = w.name
    WHERE c.expression ~ w.pattern
    -- Kept apart from the join that uses it, so that nothing is matched more than once.
    OFFSET 0
),
hk_pattern AS (
    SELECT
        n.name,
        '\(\(*' || e.escaped || '\)?(::[a-z" .]+)?\)? (=|IS DISTINCT FROM) (?!\(*[''0-9-])'
        || '(?!ANY \(\(*(ARRAY|''))(\(|[^ ()]+\(|CURRENT_|SESSION_|ANY )'
        || '| = \(?' || e.escaped || '\)?(::[a-z" .]+)?\)' AS pattern
    FROM (SELECT DISTINCT c.name FROM hk_compared AS c) AS n
    CROSS JOIN LATERAL (
        SELECT pg_catalog.regexp_replace(
            pg_catalog.quote_ident(n.name), '([^[:alnum:]_])', '\\\1', 'g'
        ) AS escaped
    ) AS e
    OFFSET 0
)
