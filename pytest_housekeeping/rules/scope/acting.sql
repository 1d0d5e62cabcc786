-- Code that runs with its owner's rights, and the rows that it acts on past every policy.
-- Roles that no policy binds.
hk_exempt_role AS (
    SELECT
        r.oid,
        pg_catalog.format('%I', r.rolname) AS object,
        CASE WHEN r.rolsuper THEN 'a superuser' ELSE 'BYPASSRLS' END AS words
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolsuper OR r.rolbypassrls
),
-- Code that runs with its owner's rights, wherever it stands.
hk_definer AS (
    SELECT
        f.oid,
        pg_catalog.format(
            '%I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ) AS object,
        f.proowner AS owner,
        f.pronamespace AS schema_oid,
        f.proacl AS acl
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE
        f.prosecdef
        AND f.oid >= 16384
        AND n.nspname NOT LIKE 'pg\_temp\_%'
        AND f.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
),
-- Who acts by it, and whose rights these are: its owner's, and those of the roles that the owner
-- inherits from.
hk_acting (role, oid) AS (
    SELECT d.owner, d.owner FROM hk_definer AS d
    UNION
    SELECT w.ev_owner, w.ev_owner FROM hk_rule AS w
    UNION
    SELECT a.role, e.roleid
    FROM hk_acting AS a
    INNER JOIN hk_edge AS e ON a.oid = e.member
    WHERE e.inherits
),
-- Rewrite rules other than those that make a view one.
hk_rule AS (
    SELECT
        w.oid,
        w.rulename AS name,
        w.ev_class,
        pg_catalog.format('%I ON %s', w.rulename, w.ev_class::pg_catalog.regclass) AS object,
        c.relowner AS ev_owner
    FROM pg_catalog.pg_rewrite AS w
    INNER JOIN pg_catalog.pg_class AS c ON w.ev_class = c.oid
    -- From 16384 on an OID is not PostgreSQL's own.
    WHERE w.ev_type <> '1' AND w.ev_enabled <> 'D' AND w.ev_class >= 16384
),
-- Policies of acting roles, other than those that count for an untrusted role as well.
hk_acting_policy AS (
    SELECT DISTINCT p.oid, a.role
    FROM hk_policy_fact AS p
    INNER JOIN hk_policy_named AS n ON p.oid = n.policy_oid
    INNER JOIN hk_acting AS a ON n.named = a.oid OR n.named = 0
    WHERE
        p.command <> 'a'
        AND p.polqual IS NOT NULL
        AND (
            NOT p.permissive
            OR p.oid NOT IN (SELECT u.policy_oid FROM hk_policy_role AS u)
            -- One policy for all, with a way round for whoever acts.
            OR (p.oid, a.role) IN (SELECT e.oid, e.role FROM hk_excepted AS e)
        )
),
hk_excepted AS (
    SELECT p.oid, r.oid AS role
    FROM hk_policy_fact AS p
    INNER JOIN hk_any_role AS r
        ON r.name = (
            pg_catalog.regexp_match(
                pg_catalog.pg_get_expr(p.polqual, p.table_oid),
                ' OR \((?:CURRENT_USER|CURRENT_ROLE) = ''([^'']+)''::name\)'
            )
        )[1]
    WHERE p.polqual::text LIKE '%SQLVALUEFUNCTION%' AND p.polqual::text LIKE '%boolop or%'
),
-- Policies that call what is not IMMUTABLE, which may read a setting, or a table.
-- https://www.postgresql.org/docs/16/xfunc-volatility.html
hk_policy_calls (oid) AS (
    SELECT c.oid
    FROM (
        SELECT DISTINCT p.oid, m.part[1]::oid AS called
        FROM hk_policy_fact AS p
        CROSS JOIN LATERAL pg_catalog.regexp_matches(p.polqual::text, ':(?:func|opfunc)id (\d+)', 'g') AS m (part)
    ) AS c
    INNER JOIN pg_catalog.pg_proc AS f ON c.called = f.oid
    WHERE f.provolatile <> 'i'
),
-- Whether a policy of an acting role compares the row with the session.
hk_bound_policy AS (
    SELECT
        p.oid,
        p.oid IN (SELECT c.policy_oid FROM hk_policy_column AS c)
        AND (
            p.polqual::text ~ '\{(SUBLINK|SQLVALUEFUNCTION)\M'
            OR p.oid IN (SELECT c.oid FROM hk_policy_calls AS c)
        )
        AND pg_catalog.pg_get_expr(p.polqual, p.table_oid) !~ '(^\(*true\)*$| OR true\M|\(true OR )'
        AND p.oid NOT IN (SELECT e.oid FROM hk_excepted AS e)
        OR pg_catalog.pg_get_expr(p.polqual, p.table_oid) IN ('false', 'NULL::boolean') AS bound
    FROM hk_policy_fact AS p
    WHERE p.oid IN (SELECT a.oid FROM hk_acting_policy AS a)
),
-- Where no policy compares what an acting role reads, changes or deletes with the session.
hk_unbound AS (
    SELECT
        a.role,
        p.table_oid,
        t.object AS table_object,
        p.object AS policy_object,
        t.name AS table_name
    FROM hk_acting_policy AS a
    INNER JOIN hk_policy_fact AS p ON a.oid = p.oid AND p.permissive
    INNER JOIN hk_any_table AS t ON p.table_oid = t.oid AND t.row_security
    INNER JOIN hk_bound_policy AS b ON p.oid = b.oid AND NOT b.bound
    WHERE
        (
            pg_catalog.has_table_privilege(a.role, t.oid, 'SELECT, UPDATE, DELETE')
            OR pg_catalog.has_any_column_privilege(a.role, t.oid, 'SELECT, UPDATE')
        )
        AND NOT EXISTS (
            SELECT FROM hk_acting_policy AS o
            INNER JOIN hk_policy_fact AS r ON o.oid = r.oid AND NOT r.permissive
            INNER JOIN hk_bound_policy AS c ON r.oid = c.oid AND c.bound
            WHERE
                o.role = a.role
                AND r.table_oid = p.table_oid
                AND (r.command = '*' OR r.command = p.command)
        )
),
-- The words of a body, outside of comments and of texts. Whoever selects from it has those bodies
-- read that are asked for, and no other.
hk_words AS NOT MATERIALIZED (
    SELECT
        f.oid,
        (
            SELECT pg_catalog.array_agg(
                DISTINCT coalesce(pg_catalog.replace(m.part[1], '""', '"'), pg_catalog.lower(m.part[2]))
            )
            FROM pg_catalog.regexp_matches(
                pg_catalog.regexp_replace(
                    f.prosrc || coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), ''),
                    '--[^\n]*|/\*.*?\*/|''[^'']*''', ' ', 'g'
                ), '"((?:[^"]|"")+)"|([^\s"().,;:=<>+*/%|&^\[\]-]+)', 'g'
            ) AS m (part)
        ) AS words
    FROM pg_catalog.pg_proc AS f
    WHERE f.oid >= 16384
),
-- The bodies that such a role may come to run, each read once.
hk_body_read (oid, words) AS (
    SELECT w.oid, w.words
    FROM hk_definer AS d
    INNER JOIN hk_words AS w ON d.oid = w.oid
    WHERE d.owner IN (SELECT u.role FROM hk_unbound AS u)
    UNION
    SELECT w.oid, w.words
    FROM (
        SELECT DISTINCT n.oid
        FROM hk_body_read AS b
        CROSS JOIN LATERAL pg_catalog.unnest(b.words) AS m (word)
        INNER JOIN pg_catalog.pg_proc AS n ON m.word = n.proname
    ) AS c
    INNER JOIN hk_words AS w ON c.oid = w.oid
),
hk_body_calls (oid, called) AS (
    SELECT b.oid, n.oid
    FROM hk_body_read AS b
    CROSS JOIN LATERAL pg_catalog.unnest(b.words) AS m (word)
    INNER JOIN pg_catalog.pg_proc AS n ON m.word = n.proname
    WHERE n.oid >= 16384
),
-- The body of a function that acts as such a role, and the bodies behind it.
hk_body_behind (root, oid) AS (
    SELECT d.oid, d.oid
    FROM hk_definer AS d
    WHERE d.owner IN (SELECT u.role FROM hk_unbound AS u)
    UNION
    SELECT b.root, c.called
    FROM hk_body_behind AS b
    INNER JOIN hk_body_calls AS c ON b.oid = c.oid
),
-- The open tables and the views that they name.
hk_body_word (root, owner, word) AS (
    SELECT DISTINCT b.root, d.owner, m.word
    FROM hk_body_behind AS b
    INNER JOIN hk_definer AS d ON b.root = d.oid
    INNER JOIN hk_body_read AS r ON b.oid = r.oid
    CROSS JOIN LATERAL pg_catalog.unnest(r.words) AS m (word)
    WHERE
        m.word IN (SELECT u.table_name FROM hk_unbound AS u)
        OR m.word IN (SELECT v.name FROM hk_view AS v)
),
-- A body that is put together at run time, that hands a text to what runs it or reads by it, or is
-- written in another language, may name anything.
hk_unreadable_body (root) AS (
    SELECT b.root
    FROM hk_body_behind AS b
    INNER JOIN hk_body_read AS r ON b.oid = r.oid
    INNER JOIN pg_catalog.pg_proc AS f ON b.oid = f.oid
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    WHERE
        l.lanname NOT IN ('sql', 'plpgsql')
        OR EXISTS (
            SELECT FROM pg_catalog.unnest(r.words) AS w (word)
            WHERE w.word ~ '^(execute|.+_to_xml(_and_xmlschema)?|ts_stat|ts_rewrite|crosstab.?|connectby|xpath_table)$'
        )
),
-- The rows that a function acts on past every policy: all of them, or those of some tables.
hk_acts_past (oid, words, fix) AS (
    SELECT d.oid, pg_catalog.format('its owner %s is %s', x.object, x.words), NULL
    FROM hk_definer AS d
    INNER JOIN hk_exempt_role AS x ON d.owner = x.oid
    UNION ALL
    SELECT
        o.oid,
        pg_catalog.format(
            'for its owner %s every row of %s is open by %s',
            r.object,
            pg_catalog.string_agg(DISTINCT o.tables, ', '),
            pg_catalog.string_agg(DISTINCT o.policies, ', ')
        ),
        pg_catalog.string_agg(DISTINCT o.fix, ' ')
    FROM hk_opened AS o
    INNER JOIN hk_definer AS d ON o.oid = d.oid
    INNER JOIN hk_any_role AS r ON d.owner = r.oid
    WHERE d.owner NOT IN (SELECT x.oid FROM hk_exempt_role AS x)
    GROUP BY o.oid, r.object
),
-- The open tables that a body names. One that may name anything, or reads a view, is told of a few
-- of those that are open to its owner.
hk_opened (oid, tables, policies, fix) AS (
    SELECT w.root, u.table_object, u.policy_object, 'DROP POLICY ' || u.policy_object || ';'
    FROM hk_body_word AS w
    INNER JOIN hk_unbound AS u ON w.owner = u.role AND w.word = u.table_name
    UNION
    SELECT p.oid, u.table_object, u.policy_object, 'DROP POLICY ' || u.policy_object || ';'
    FROM (
        SELECT d.oid, d.owner, e.refobjid
        FROM pg_catalog.pg_depend AS e
        INNER JOIN hk_definer AS d
            ON e.objid = d.oid AND e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        -- First what each depends on: an owner has many functions, and many tables.
        OFFSET 0
    ) AS p
    INNER JOIN hk_unbound AS u ON p.owner = u.role AND p.refobjid = u.table_oid
    UNION
    SELECT d.oid, u.table_object, u.policy_object, 'DROP POLICY ' || u.policy_object || ';'
    FROM hk_definer AS d
    INNER JOIN (
        SELECT
            e.*,
            pg_catalog.row_number() OVER (PARTITION BY e.role ORDER BY e.policy_object) AS number
        FROM hk_unbound AS e
    ) AS u ON d.owner = u.role AND u.number <= 10
    WHERE
        d.oid IN (SELECT b.root FROM hk_unreadable_body AS b)
        OR d.oid IN (
            SELECT w.root FROM hk_body_word AS w INNER JOIN hk_view AS v ON w.word = v.name
        )
)
