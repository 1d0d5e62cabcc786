-- What every rule's query may select from: the declared part of the catalog, read once.
-- {schemas}, {roles} and the like are filled in by the engine as literals.
hk_declared (schemas, roles, reachable_only) AS (
    SELECT {schemas}::text[], {roles}::text[], {reachable_only}::boolean
),
-- Every schema and every role; `object` is here and below the name as one would type it.
hk_any_schema AS (
    SELECT
        n.oid,
        n.nspname AS name,
        n.nspowner AS owner,
        n.nspacl AS acl,
        pg_catalog.format('%I', n.nspname) AS object
    FROM pg_catalog.pg_namespace AS n
),
hk_any_role AS (
    SELECT r.oid, r.rolname AS name, pg_catalog.format('%I', r.rolname) AS object
    FROM pg_catalog.pg_roles AS r
),
-- The protected schemas.
hk_schema AS (
    SELECT s.* FROM hk_any_schema AS s WHERE s.name = ANY ({schemas}::text[])
),
-- The roles that a contract names.
hk_declared_role AS (
    SELECT r.* FROM hk_any_role AS r WHERE r.name = ANY ({roles}::text[] || {source_roles}::text[])
),
-- Who keeps the schema, and is no application: who migrates, in whose name that is done, and the
-- role that the server was made with.
hk_keeper (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user OR r.oid = 10
    UNION
    SELECT e.roleid
    FROM hk_keeper AS k
    INNER JOIN hk_edge AS e ON k.oid = e.member
    WHERE (e.inherits OR e.sets) AND NOT e.to_declared
),
-- Whoever can act as a named role without handing it out to others, directly or through a group.
hk_member (oid) AS (
    SELECT r.oid FROM hk_declared_role AS r
    UNION
    SELECT e.member
    FROM hk_member AS m
    INNER JOIN hk_edge AS e ON m.oid = e.roleid
    WHERE
        (e.inherits OR e.sets)
        AND e.member NOT IN (SELECT k.oid FROM hk_keeper AS k)
        AND (e.roleid, e.member) NOT IN (
            SELECT a.roleid, a.member FROM hk_edge AS a WHERE a.admins
        )
),
-- The logins among them: an application connects as one, and has all that is the login's own.
hk_login AS (
    SELECT a.*
    FROM hk_member AS m
    INNER JOIN pg_catalog.pg_roles AS r ON m.oid = r.oid
    INNER JOIN hk_any_role AS a ON r.oid = a.oid
    WHERE
        r.rolcanlogin
        AND r.oid NOT IN (SELECT d.oid FROM hk_declared_role AS d)
        AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT')
),
-- The untrusted roles.
hk_role AS (
    SELECT r.*, false AS login FROM hk_declared_role AS r
    UNION ALL
    SELECT l.*, true FROM hk_login AS l
),
-- Memberships that give anything. The three options stand in the catalog since PostgreSQL 16;
-- before, every member may SET ROLE, and inherits as its own attribute says.
hk_edge AS (
    SELECT
        m.roleid,
        m.member,
        o.inherits,
        o.sets,
        m.admin_option AS admins,
        g.rolname AS role_name,
        g.rolname = ANY ({roles}::text[] || {source_roles}::text[]) AS to_declared,
        pg_catalog.format('%I', g.rolname) AS role_object,
        pg_catalog.format('%I', r.rolname) AS member_object,
        pg_catalog.format('REVOKE %I FROM %I', g.rolname, r.rolname)
        || CASE
            WHEN m.grantor <> 10 AND pg_catalog.current_setting('server_version_num')::integer >= 160000
                THEN coalesce(' GRANTED BY ' || pg_catalog.quote_ident(b.rolname), '')
            ELSE ''
        END || ';' AS revoke
    FROM pg_catalog.pg_auth_members AS m
    INNER JOIN pg_catalog.pg_roles AS r ON m.member = r.oid
    INNER JOIN pg_catalog.pg_roles AS g ON m.roleid = g.oid
    LEFT JOIN pg_catalog.pg_roles AS b ON m.grantor = b.oid
    CROSS JOIN LATERAL (
        SELECT
            coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit) AS inherits,
            coalesce((pg_catalog.to_jsonb(m) ->> 'set_option')::boolean, true) AS sets
    ) AS o
    WHERE o.inherits OR o.sets OR m.admin_option
),
-- Whose privileges an untrusted role has or can get: its own and those of every role that it
-- inherits from, may SET ROLE to, or may grant to itself. Of a login what it inherits beside the
-- named roles, which are judged for themselves: one that inherits nothing becomes one of several
-- by SET ROLE alone, as a gate before them does.
hk_reach (role, role_object, oid, login) AS (
    SELECT r.oid, r.object, r.oid, r.login FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, e.roleid, h.login
    FROM hk_reach AS h
    INNER JOIN hk_edge AS e ON h.oid = e.member
    WHERE NOT h.login OR (e.inherits AND NOT e.to_declared)
),
-- Which role it can become: attributes such as BYPASSRLS are not inherited.
hk_become (role, role_object, oid, login) AS (
    SELECT r.oid, r.object, r.oid, r.login FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, e.roleid, h.login
    FROM hk_become AS h
    INNER JOIN hk_edge AS e ON h.oid = e.member
    WHERE (e.sets OR e.admins) AND (NOT h.login OR (e.inherits AND NOT e.to_declared))
),
-- The last step of the way to a role, in words, and the SQL that takes it away.
hk_way AS (
    SELECT
        h.role,
        h.role_object,
        e.roleid AS oid,
        e.role_name AS name,
        pg_catalog.format('it reaches %s', e.role_object) || pg_catalog.string_agg(
            pg_catalog.format(
                CASE WHEN h.oid = h.role THEN ' (by %2$s)' ELSE ' (through %s, by %s)' END,
                e.member_object,
                pg_catalog.concat_ws(
                    ', ',
                    CASE WHEN e.inherits THEN 'INHERIT' END,
                    CASE WHEN e.sets THEN 'SET ROLE' END,
                    CASE WHEN e.admins THEN 'ADMIN OPTION' END
                )
            ), '' ORDER BY e.member_object
        ) AS words,
        pg_catalog.string_agg(e.revoke, ' ' ORDER BY e.revoke) AS fix
    FROM hk_reach AS h
    INNER JOIN hk_edge AS e ON h.oid = e.member
    WHERE e.roleid <> h.role AND (NOT h.login OR (e.inherits AND NOT e.to_declared))
    GROUP BY h.role, h.role_object, e.roleid, e.role_name, e.role_object
),
-- Roles that somebody else lives by, and the SQL that ends the membership in them: what such a role
-- was granted is rightly its own, and to take it away would harm whoever it was meant for.
hk_lent (oid, fix) AS (
    SELECT w.oid, pg_catalog.string_agg(DISTINCT w.fix, ' ')
    FROM hk_way AS w
    INNER JOIN pg_catalog.pg_roles AS r ON w.oid = r.oid
    WHERE
        r.rolcanlogin
        OR r.oid IN (SELECT d.oid FROM hk_role AS d)
        OR EXISTS (
            SELECT FROM pg_catalog.pg_auth_members AS m
            INNER JOIN pg_catalog.pg_roles AS b ON m.member = b.oid
            WHERE
                m.roleid = r.oid
                AND m.member NOT IN (SELECT h.oid FROM hk_reach AS h)
                -- Who has made it is a member to administer it.
                AND b.oid <> m.grantor
                AND NOT b.rolsuper
                AND NOT m.admin_option
                AND b.rolname <> current_user
                AND b.oid NOT IN (SELECT s.owner FROM hk_schema AS s)
        )
    GROUP BY w.oid
),
-- The roles that an untrusted one can become, as the subject of a sentence about them.
hk_become_subject AS (
    SELECT
        h.role_object,
        h.oid,
        CASE WHEN h.oid = h.role THEN 'it' ELSE w.words || ', which' END AS subject,
        w.fix
    FROM hk_become AS h
    LEFT JOIN hk_way AS w ON h.role = w.role AND h.oid = w.oid
),
-- Whom an untrusted role has the rights of as an owner, in words.
hk_owner AS (
    SELECT
        h.role_object,
        h.oid,
        CASE
            WHEN h.oid = h.role THEN pg_catalog.format('its owner is %s', h.role_object)
            ELSE pg_catalog.format('its owner is %s; for %s, %s', r.object, h.role_object, w.words)
        END AS words,
        w.fix
    FROM hk_reach AS h
    INNER JOIN hk_any_role AS r ON h.oid = r.oid
    LEFT JOIN hk_way AS w ON h.role = w.role AND h.oid = w.oid
),
-- What belongs to an extension is not the project's to change.
hk_extension_member AS (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d
    -- By what the index of pg_depend knows: it has rows for everything, and few are of extensions.
    WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
),
-- Every ordinary and partitioned table in the protected schemas, partitions by their own name.
hk_any_table AS (
    SELECT
        c.oid,
        c.relnamespace AS schema_oid,
        s.name AS schema,
        c.relname AS name,
        pg_catalog.format('%I.%I', s.name, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        c.relacl AS acl,
        c.relrowsecurity AS row_security,
        c.relforcerowsecurity AS forced,
        c.relispartition AS is_partition
    FROM hk_schema AS s
    INNER JOIN pg_catalog.pg_class AS c ON s.oid = c.relnamespace
    WHERE
        c.relkind IN ('r', 'p')
        AND (c.oid) NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        )
),
-- Every privilege that a grant gives on them, on the table (attnum 0) or on a column.
hk_table_grant (oid, attnum, privilege, grantee) AS (
    SELECT t.oid, 0::smallint, g.privilege_type, g.grantee
    FROM hk_any_table AS t
    CROSS JOIN LATERAL pg_catalog.aclexplode(t.acl) AS g
    WHERE g.grantee <> t.owner
    UNION ALL
    SELECT t.oid, a.attnum, g.privilege_type, g.grantee
    FROM hk_any_table AS t
    INNER JOIN pg_catalog.pg_attribute AS a ON t.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND g.grantee <> t.owner
),
-- The same for each untrusted role: granted to it, to a role that it reaches, or to PUBLIC (0).
hk_access AS (
    SELECT g.oid, g.attnum, g.privilege, g.grantee, h.role, h.role_object
    FROM hk_table_grant AS g
    INNER JOIN hk_reach AS h ON g.grantee = h.oid
    UNION ALL
    SELECT g.oid, g.attnum, g.privilege, g.grantee, r.oid, r.object
    FROM hk_table_grant AS g
    CROSS JOIN hk_declared_role AS r
    WHERE g.grantee = 0
),
-- The same for the tables in scope, with the grantee as one would type it.
hk_table_privilege AS (
    SELECT DISTINCT
        t.object,
        a.privilege,
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee,
        l.fix
    FROM hk_access AS a
    INNER JOIN hk_table AS t ON a.oid = t.oid
    LEFT JOIN pg_catalog.pg_roles AS r ON a.grantee = r.oid
    LEFT JOIN hk_lent AS l ON a.grantee = l.oid
),
-- One of the untrusted roles that read a table, to look with.
hk_reader AS (
    SELECT a.oid, pg_catalog.min(a.role_object) AS role
    FROM hk_access AS a
    WHERE a.privilege = 'SELECT'
    GROUP BY a.oid
),
-- Who of the untrusted may write to a table, and to which columns (0: to all of them).
hk_writer AS (
    SELECT
        a.oid,
        pg_catalog.array_agg(DISTINCT a.attnum) AS attnums,
        pg_catalog.string_agg(DISTINCT a.role_object, ', ') AS roles
    FROM hk_access AS a
    WHERE a.privilege IN ('INSERT', 'UPDATE')
    GROUP BY a.oid
),
-- Tables that an untrusted role can use in any way.
hk_reachable_table AS (
    SELECT a.oid FROM hk_access AS a
    UNION
    SELECT t.oid FROM hk_any_table AS t WHERE t.owner IN (SELECT h.oid FROM hk_reach AS h)
    UNION
    SELECT t.oid
    FROM hk_any_table AS t
    WHERE EXISTS (
        SELECT FROM hk_reach AS h
        INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
        WHERE r.rolsuper OR r.rolname IN ('pg_read_all_data', 'pg_write_all_data')
    )
),
hk_table AS (
    SELECT t.* FROM hk_any_table AS t
    WHERE NOT {reachable_only}::boolean OR t.oid IN (SELECT r.oid FROM hk_reachable_table AS r)
),
-- How row-level security is forced on a table without breaking what inserts into it as its owner:
-- a SECURITY DEFINER function, such as the trigger by which somebody signs up.
hk_forcing AS (
    SELECT
        t.oid,
        pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', t.object)
        || CASE
            WHEN w.functions IS NULL THEN ''
            ELSE E'\n' || pg_catalog.format(
                'CREATE POLICY owner_inserts ON %s FOR INSERT TO %I WITH CHECK (true);'
                || ' -- for %s, which inserts as its owner',
                t.object,
                r.rolname,
                w.functions
            )
        END AS statements
    FROM hk_table AS t
    INNER JOIN pg_catalog.pg_roles AS r ON t.owner = r.oid
    LEFT JOIN hk_owner_inserts AS w
        ON
            t.owner = w.owner
            AND pg_catalog.lower(t.name) = w.word
            AND NOT (r.rolsuper OR r.rolbypassrls)
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_policy AS p
                WHERE
                    p.polrelid = t.oid
                    AND p.polpermissive
                    AND p.polcmd IN ('a', '*')
                    AND p.polroles && ARRAY[0::oid, t.owner]
            )
    WHERE NOT t.forced
),
-- The words of such functions, which the names of tables are among.
hk_owner_inserts AS (
    SELECT
        f.proowner AS owner,
        w.word,
        pg_catalog.string_agg(DISTINCT f.oid::pg_catalog.regprocedure::text, ', ') AS functions
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(
        pg_catalog.lower(f.prosrc), '[^[:alnum:]_$]+'
    ) AS w (word)
    WHERE
        f.prosecdef
        AND f.prosrc ~* '\minsert\M'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    GROUP BY f.proowner, w.word
),
hk_policy AS (
    SELECT
        f.*,
        pg_catalog.pg_get_expr(f.polqual, f.table_oid) AS using_expression,
        pg_catalog.pg_get_expr(f.polwithcheck, f.table_oid) AS check_expression
    FROM hk_policy_fact AS f
),
-- Without the text of the expressions, which takes PostgreSQL longer than all the rest.
hk_policy_fact AS (
    SELECT
        p.oid,
        p.polrelid AS table_oid,
        p.polname AS name,
        pg_catalog.format('%I ON %s', p.polname, t.object) AS object,
        t.object AS table_object,
        p.polcmd AS command,
        p.polpermissive AS permissive,
        p.polroles AS roles,
        p.polqual,
        p.polwithcheck
    FROM hk_table AS t
    INNER JOIN pg_catalog.pg_policy AS p ON t.oid = p.polrelid
),
-- Which policy counts for which untrusted role: named, by membership, or for PUBLIC (0).
hk_policy_role AS (
    SELECT n.policy_oid, h.role, h.role_object
    FROM hk_policy_named AS n
    INNER JOIN hk_reach AS h ON n.named = h.oid
    UNION
    SELECT n.policy_oid, r.oid, r.object
    FROM hk_policy_named AS n
    CROSS JOIN hk_declared_role AS r
    WHERE n.named = 0
),
hk_policy_named (policy_oid, named) AS (
    SELECT p.oid, pg_catalog.unnest(p.roles) FROM hk_policy_fact AS p
),
-- Policies that let rows through to an untrusted role, with the names of these roles.
hk_opening AS (
    SELECT p.*, r.role_objects
    FROM hk_policy_fact AS p
    INNER JOIN (
        SELECT
            a.policy_oid,
            pg_catalog.string_agg(a.role_object, ', ' ORDER BY a.role_object) AS role_objects
        FROM hk_policy_role AS a
        GROUP BY a.policy_oid
    ) AS r ON p.oid = r.policy_oid
    WHERE p.permissive
),
-- One row for each expression of a policy. Many policies share one tree of nodes.
hk_clause AS (
    SELECT p.oid AS policy_oid, p.table_oid, 'USING' AS name, p.polqual::text AS tree
    FROM hk_policy_fact AS p
    WHERE p.polqual IS NOT NULL
    UNION ALL
    SELECT p.oid, p.table_oid, 'WITH CHECK', p.polwithcheck::text
    FROM hk_policy_fact AS p
    WHERE p.polwithcheck IS NOT NULL
),
hk_tree AS (
    SELECT d.tree, pg_catalog.row_number() OVER () AS number
    FROM (SELECT DISTINCT c.tree FROM hk_clause AS c) AS d
),
-- What a policy looks at: pg_depend names what is not PostgreSQL's own.
hk_policy_depends AS (
    SELECT p.oid AS policy_oid, p.table_oid, d.refclassid, d.refobjid, d.refobjsubid
    FROM hk_policy_fact AS p
    INNER JOIN pg_catalog.pg_depend AS d ON p.oid = d.objid
    WHERE
        d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
        AND d.deptype = 'n'
        AND d.refclassid IN (
            'pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
),
-- The columns of its own table, which USING and WITH CHECK may name twice.
hk_policy_column AS (
    SELECT DISTINCT d.policy_oid, d.table_oid, d.refobjsubid AS attnum
    FROM hk_policy_depends AS d
    WHERE d.refobjid = d.table_oid AND d.refobjsubid > 0
),
-- The other relations that it reads.
hk_policy_reads AS (
    SELECT DISTINCT d.policy_oid, d.table_oid, d.refobjid AS relation_oid
    FROM hk_policy_depends AS d
    WHERE
        d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> d.table_oid
),
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
),
-- Settings that carry the identity.
hk_context (name) AS (
    SELECT pg_catalog.lower(c.name) FROM pg_catalog.unnest({context}::text[]) AS c (name)
),
-- Settings that a session of an untrusted role, or a function that it calls, starts with.
hk_preset AS (
    SELECT
        e.object,
        e.name,
        e.value,
        e.by_function,
        e.alter || ' RESET ' || (
            -- A part of a setting's name may be a key word: app.user.
            SELECT pg_catalog.string_agg(pg_catalog.quote_ident(p.name), '.' ORDER BY p.place)
            FROM pg_catalog.string_to_table(e.name, '.') WITH ORDINALITY AS p (name, place)
        ) || ';' AS fix
    FROM (
        SELECT
            CASE
                WHEN s.setrole <> 0 THEN r.object
                WHEN s.setdatabase <> 0 THEN pg_catalog.format('DATABASE %I', d.datname)
                ELSE 'ROLE ALL'
            END AS object,
            pg_catalog.split_part(c.line, '=', 1) AS name,
            pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1) AS value,
            false AS by_function,
            CASE
                WHEN s.setrole = 0 AND s.setdatabase <> 0
                    THEN pg_catalog.format('ALTER DATABASE %I', d.datname)
                ELSE 'ALTER ROLE ' || coalesce(r.object, 'ALL')
                    || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(d.datname), '')
            END AS alter
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (line)
        LEFT JOIN hk_role AS r ON s.setrole = r.oid
        LEFT JOIN pg_catalog.pg_database AS d ON s.setdatabase = d.oid
        WHERE
            (s.setrole = 0 OR r.oid IS NOT NULL)
            AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
        UNION ALL
        SELECT
            f.object,
            pg_catalog.split_part(c.line, '=', 1),
            pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1),
            true,
            'ALTER ROUTINE ' || f.object
        FROM hk_function AS f
        CROSS JOIN LATERAL pg_catalog.unnest(f.settings) AS c (line)
    ) AS e
),
-- The policies that rls.toml declares.
hk_declared_policy AS (
    SELECT
        d.*,
        pg_catalog.to_regclass(d.table_object)::oid AS table_oid,
        pg_catalog.format('%I ON %s', d.name, d.table_object) AS object,
        pg_catalog.concat_ws(
            ' ',
            CASE WHEN NOT d.permissive THEN 'AS RESTRICTIVE' END,
            'FOR ' || d.command,
            'TO ' || (
                SELECT pg_catalog.string_agg(
                    CASE WHEN r.name = 'public' THEN 'PUBLIC' ELSE pg_catalog.format('%I', r.name) END,
                    ', '
                )
                FROM pg_catalog.unnest(d.roles) AS r (name)
            ),
            'USING (' || d.using_expression || ')',
            'WITH CHECK (' || d.check_expression || ')'
        ) AS definition
    FROM pg_catalog.jsonb_to_recordset({policies}::jsonb) AS d (
        table_object text, name text, command text, permissive boolean, roles text[],
        using_expression text, check_expression text
    )
),
-- The tables of which rls.toml declares rows to be public: those that meet the condition.
hk_public AS (
    SELECT d.rows, pg_catalog.to_regclass(d."table")::oid AS table_oid
    FROM pg_catalog.jsonb_to_recordset({public}::jsonb) AS d ("table" text, rows text)
),
-- Those that everybody may read as a whole, and no untrusted role may write to.
hk_public_to_read AS (
    SELECT p.table_oid
    FROM hk_public AS p
    WHERE
        p.rows = 'true'
        AND p.table_oid NOT IN (
            SELECT a.oid FROM hk_access AS a WHERE a.privilege NOT IN ('SELECT', 'REFERENCES')
        )
),
-- Views, wherever they stand, that read a protected table, directly or through other views.
hk_view_reads (view_oid, relation_oid) AS (
    SELECT DISTINCT w.ev_class, d.refobjid
    FROM pg_catalog.pg_rewrite AS w
    INNER JOIN pg_catalog.pg_depend AS d ON w.oid = d.objid
    WHERE
        d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid <> w.ev_class
        -- What its other rules read or write, they do for themselves: rule-as-owner.
        AND w.ev_type = '1'
),
hk_view_over (oid) AS (
    SELECT t.oid FROM hk_any_table AS t
    UNION
    SELECT r.view_oid FROM hk_view_over AS o INNER JOIN hk_view_reads AS r ON o.oid = r.relation_oid
),
hk_view AS (
    SELECT
        c.oid,
        n.nspname AS schema,
        c.relname AS name,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        EXISTS (
            SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
            WHERE o.option_name = 'security_invoker' AND o.option_value::boolean
        ) AS security_invoker
    FROM hk_view_over AS v
    INNER JOIN pg_catalog.pg_class AS c ON v.oid = c.oid
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('v', 'm')
        AND (
            NOT {reachable_only}::boolean
            OR EXISTS (
                SELECT FROM hk_reach AS h
                WHERE
                    pg_catalog.has_table_privilege(h.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                    OR pg_catalog.has_any_column_privilege(h.oid, c.oid, 'SELECT, INSERT, UPDATE')
            )
        )
),
-- Who of the untrusted may do what with the other relations: those in the protected schemas,
-- and views elsewhere that read protected tables.
hk_relation_grant AS (
    SELECT DISTINCT
        c.oid,
        c.relkind,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        g.privilege,
        CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', r.rolname) END AS grantee,
        l.fix
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    CROSS JOIN LATERAL (
        SELECT e.privilege_type AS privilege, e.grantee
        FROM pg_catalog.aclexplode(c.relacl) AS e
        UNION ALL
        SELECT e.privilege_type, e.grantee
        FROM pg_catalog.pg_attribute AS a
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS e
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    ) AS g
    LEFT JOIN pg_catalog.pg_roles AS r ON g.grantee = r.oid
    LEFT JOIN hk_lent AS l ON g.grantee = l.oid
    WHERE
        c.relkind IN ('v', 'm', 'f', 'S')
        AND g.grantee <> c.relowner
        AND (g.grantee = 0 OR g.grantee IN (SELECT h.oid FROM hk_reach AS h))
        AND (
            c.relnamespace IN (SELECT s.oid FROM hk_schema AS s)
            OR c.oid IN (SELECT v.oid FROM hk_view_over AS v)
            OR c.relkind = 'f'
        )
),
-- Relations outside the protected schemas that are neither PostgreSQL's nor an extension's.
hk_outside AS (
    SELECT
        c.oid,
        c.relnamespace AS schema_oid,
        c.relname AS name,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        c.relacl AS acl,
        c.relrowsecurity AS row_security
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('r', 'p', 'v', 'm')
        AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND c.relnamespace NOT IN (SELECT s.oid FROM hk_schema AS s)
        AND c.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        )
),
-- What an untrusted role may do with them, where it may enter the schema.
hk_outside_grant (oid, privilege, grantee) AS (
    SELECT o.oid, g.privilege_type, g.grantee
    FROM hk_outside AS o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
    UNION ALL
    SELECT o.oid, g.privilege_type, g.grantee
    FROM hk_outside AS o
    INNER JOIN pg_catalog.pg_attribute AS a ON o.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT o.oid, p.privilege, o.owner
    FROM hk_outside AS o
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (privilege)
    WHERE o.owner IN (SELECT h.oid FROM hk_reach AS h)
),
hk_outside_access AS (
    SELECT DISTINCT g.oid, g.privilege, g.grantee, h.role, h.role_object
    FROM hk_outside_grant AS g
    INNER JOIN hk_outside AS o ON g.oid = o.oid
    INNER JOIN hk_reach AS h
        ON g.grantee = h.oid OR (g.grantee = 0 AND h.oid = h.role AND NOT h.login)
    INNER JOIN hk_entered AS e ON o.schema_oid = e.oid AND h.role = e.role
),
-- The schemas that an untrusted role may enter.
hk_entered AS (
    SELECT DISTINCT n.oid, h.role
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN hk_reach AS h
    WHERE pg_catalog.has_schema_privilege(h.oid, n.oid, 'USAGE')
),
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
        n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname NOT LIKE 'pg\_%'
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
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname NOT LIKE 'pg\_%'
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
-- Whether such a policy compares the row with the session. What it calls is asked of PostgreSQL:
-- what is not IMMUTABLE may read a setting, or a table.
-- https://www.postgresql.org/docs/16/xfunc-volatility.html
hk_bound_policy AS (
    SELECT
        p.oid,
        p.oid IN (SELECT c.policy_oid FROM hk_policy_column AS c)
        AND (
            p.polqual::text ~ '\{(SUBLINK|SQLVALUEFUNCTION)\M'
            OR EXISTS (
                SELECT FROM pg_catalog.regexp_matches(p.polqual::text, ':(?:func|opfunc)id (\d+)', 'g') AS m (part)
                INNER JOIN pg_catalog.pg_proc AS f ON m.part[1]::oid = f.oid
                WHERE f.provolatile <> 'i'
            )
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
-- What the body of a function that acts as such a role names, and the bodies behind it: words
-- outside of comments and of texts. A body that is put together at run time, or is written in
-- another language, may name anything.
hk_body_behind (root, oid) AS (
    SELECT d.oid, d.oid
    FROM hk_definer AS d
    WHERE d.owner IN (SELECT u.role FROM hk_unbound AS u)
    UNION
    SELECT b.root, n.oid
    FROM hk_body_behind AS b
    INNER JOIN pg_catalog.pg_proc AS f ON b.oid = f.oid
    CROSS JOIN LATERAL pg_catalog.regexp_matches(
        pg_catalog.regexp_replace(
            f.prosrc || coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), ''),
            '--[^\n]*|/\*.*?\*/|''[^'']*''', ' ', 'g'
        ), '"((?:[^"]|"")+)"|([^\s"().,;:=<>+*/%|&^\[\]-]+)', 'g'
    ) AS m (part)
    INNER JOIN pg_catalog.pg_proc AS n
        ON n.proname = coalesce(pg_catalog.replace(m.part[1], '""', '"'), pg_catalog.lower(m.part[2]))
    WHERE n.oid >= 16384
),
hk_body_word (root, word) AS (
    SELECT DISTINCT
        b.root, coalesce(pg_catalog.replace(m.part[1], '""', '"'), pg_catalog.lower(m.part[2]))
    FROM hk_body_behind AS b
    INNER JOIN pg_catalog.pg_proc AS f ON b.oid = f.oid
    CROSS JOIN LATERAL pg_catalog.regexp_matches(
        pg_catalog.regexp_replace(
            f.prosrc || coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), ''),
            '--[^\n]*|/\*.*?\*/|''[^'']*''', ' ', 'g'
        ), '"((?:[^"]|"")+)"|([^\s"().,;:=<>+*/%|&^\[\]-]+)', 'g'
    ) AS m (part)
),
hk_unreadable_body (root) AS (
    SELECT b.root
    FROM hk_body_behind AS b
    INNER JOIN pg_catalog.pg_proc AS f ON b.oid = f.oid
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    WHERE l.lanname NOT IN ('sql', 'plpgsql') OR f.prosrc ~* '\mexecute\M'
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
    SELECT d.oid, u.table_object, u.policy_object, 'DROP POLICY ' || u.policy_object || ';'
    FROM hk_body_word AS w
    INNER JOIN hk_definer AS d ON w.root = d.oid
    INNER JOIN hk_unbound AS u ON d.owner = u.role AND w.word = u.table_name
    UNION
    SELECT d.oid, u.table_object, u.policy_object, 'DROP POLICY ' || u.policy_object || ';'
    FROM pg_catalog.pg_depend AS p
    INNER JOIN hk_definer AS d
        ON p.objid = d.oid AND p.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    INNER JOIN hk_unbound AS u ON d.owner = u.role AND p.refobjid = u.table_oid
    UNION
    SELECT d.oid, u.tables, u.policies, u.fix
    FROM hk_definer AS d
    INNER JOIN (
        SELECT
            n.role,
            pg_catalog.string_agg(DISTINCT n.table_object, ', ') AS tables,
            pg_catalog.string_agg(DISTINCT n.policy_object, ', ') AS policies,
            pg_catalog.string_agg(DISTINCT 'DROP POLICY ' || n.policy_object || ';', ' ') AS fix
        FROM (
            SELECT
                e.*,
                pg_catalog.row_number() OVER (PARTITION BY e.role ORDER BY e.policy_object) AS number
            FROM hk_unbound AS e
        ) AS n
        WHERE n.number <= 10
        GROUP BY n.role
    ) AS u ON d.owner = u.role
    WHERE
        d.oid IN (SELECT b.root FROM hk_unreadable_body AS b)
        OR d.oid IN (
            SELECT w.root FROM hk_body_word AS w INNER JOIN hk_view AS v ON w.word = v.name
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
-- The bodies of functions as texts, and their arguments in order.
hk_body AS (
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
                        -- Numbers, dates, truth values, networks and enums are no free texts.
                        'text', t.typcategory IN ('S', 'U', 'A', 'P', 'C', 'X')
                        AND t.oid <> 'pg_catalog.uuid'::pg_catalog.regtype
                    ) ORDER BY a.place
                ), '[]'
            )
            FROM pg_catalog.unnest(
                coalesce(f.proallargtypes, f.proargtypes::oid[])
            ) WITH ORDINALITY AS a (type, place)
            INNER JOIN pg_catalog.pg_type AS t ON a.type = t.oid
            WHERE f.proargmodes IS NULL OR f.proargmodes[a.place] IN ('i', 'b', 'v')
        ) AS arguments
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    WHERE f.prokind IN ('f', 'p')
),
-- Boundaries: the roles of the contract's source, and what they and their logins are or can become.
hk_source_role AS (
    SELECT r.* FROM hk_any_role AS r WHERE r.name = ANY ({source_roles}::text[])
),
hk_source_reach (role, role_object, oid, login) AS (
    SELECT r.oid, r.object, r.oid, r.login FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, m.roleid, h.login
    FROM hk_source_reach AS h
    INNER JOIN pg_catalog.pg_auth_members AS m ON h.oid = m.member
    LEFT JOIN hk_edge AS e ON m.member = e.member AND m.roleid = e.roleid
    WHERE NOT h.login OR (e.inherits AND NOT e.to_declared)
),
-- Who receives a grant, as one types it.
hk_grantee AS (
    SELECT DISTINCT h.oid, pg_catalog.format('%I', r.rolname) AS object
    FROM hk_source_reach AS h
    INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
    UNION ALL
    SELECT 0::oid, 'PUBLIC'
),
hk_source_schema AS (
    SELECT s.* FROM hk_any_schema AS s WHERE s.name = ANY ({source_schemas}::text[])
),
hk_target_role AS (
    SELECT r.* FROM hk_any_role AS r WHERE r.name = ANY ({target_roles}::text[])
),
hk_target_schema AS (
    SELECT s.* FROM hk_any_schema AS s WHERE s.name = ANY ({target_schemas}::text[])
),
-- A table that another app or zone declares by name belongs to that one.
hk_claimed AS (
    SELECT pg_catalog.to_regclass(claimed.name)::oid AS oid
    FROM pg_catalog.unnest({claimed_tables}::text[]) AS claimed (name)
),
hk_named AS (
    SELECT pg_catalog.to_regclass(named.name)::oid AS oid
    FROM pg_catalog.unnest({target_tables}::text[]) AS named (name)
),
hk_target_relation AS (
    SELECT
        c.oid,
        n.nspname AS schema,
        c.relname AS name,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
        c.relkind,
        c.relowner AS owner,
        c.relacl AS acl
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE
        c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND (
            EXISTS (SELECT FROM hk_named AS t WHERE c.oid = t.oid)
            OR EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                INNER JOIN hk_named AS t ON d.refobjid = t.oid
                WHERE
                    d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid
                    AND d.deptype IN ('a', 'i')
                    AND c.relkind = 'S'
            )
            OR (
                c.relnamespace IN (SELECT s.oid FROM hk_target_schema AS s)
                AND NOT EXISTS (SELECT FROM hk_claimed AS t WHERE c.oid = t.oid)
            )
        )
),
hk_target_function AS (
    SELECT
        f.oid,
        f.pronamespace AS schema_oid,
        n.nspname AS schema,
        f.proname AS name,
        pg_catalog.format(
            '%I.%I(%s)', n.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes)
        ) AS object,
        f.proowner AS owner,
        f.proacl AS acl
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_namespace AS n ON f.pronamespace = n.oid
    WHERE f.pronamespace IN (SELECT s.oid FROM hk_target_schema AS s)
),
-- The text of every function that belongs neither to PostgreSQL nor to an extension.
hk_function_body AS (
    SELECT
        f.oid,
        f.pronamespace AS schema_oid,
        f.oid::pg_catalog.regprocedure::text AS object,
        f.prosecdef AS definer,
        l.lanname AS language,
        f.prosrc AS source
    FROM pg_catalog.pg_proc AS f
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    WHERE
        f.pronamespace NOT IN (
            SELECT n.oid FROM pg_catalog.pg_namespace AS n
            WHERE n.nspname IN ('pg_catalog', 'information_schema')
        )
        AND f.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
),
-- Where an object is at home: the schema, and the relation that it is a part of (0: of none).
hk_home (classid, objid, schema_oid, relation_oid) AS (
    SELECT
        'pg_catalog.pg_class'::pg_catalog.regclass::oid,
        c.oid,
        c.relnamespace,
        coalesce(i.indrelid, c.oid)
    FROM pg_catalog.pg_class AS c
    LEFT JOIN pg_catalog.pg_index AS i ON c.oid = i.indexrelid
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, w.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_rewrite AS w INNER JOIN pg_catalog.pg_class AS c ON w.ev_class = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid, d.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_attrdef AS d INNER JOIN pg_catalog.pg_class AS c ON d.adrelid = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, k.oid, k.connamespace, k.conrelid
    FROM pg_catalog.pg_constraint AS k
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::oid, g.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_trigger AS g INNER JOIN pg_catalog.pg_class AS c ON g.tgrelid = c.oid
    WHERE NOT g.tgisinternal
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass::oid, p.oid, c.relnamespace, c.oid
    FROM pg_catalog.pg_policy AS p INNER JOIN pg_catalog.pg_class AS c ON p.polrelid = c.oid
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, f.oid, f.pronamespace, 0::oid
    FROM pg_catalog.pg_proc AS f
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid, t.typnamespace, t.typrelid
    FROM pg_catalog.pg_type AS t
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass::oid, o.oid, o.oprnamespace, 0::oid
    FROM pg_catalog.pg_operator AS o
    UNION ALL
    -- A cast stands in no schema: it belongs to those of its types.
    SELECT DISTINCT 'pg_catalog.pg_cast'::pg_catalog.regclass::oid, k.oid, t.typnamespace, 0::oid
    FROM pg_catalog.pg_cast AS k
    INNER JOIN pg_catalog.pg_type AS t ON t.oid IN (k.castsource, k.casttarget)
    WHERE k.oid >= 16384
),
hk_target_object AS (
    SELECT h.classid, h.objid
    FROM hk_home AS h
    WHERE
        h.relation_oid IN (SELECT r.oid FROM hk_target_relation AS r)
        OR (h.relation_oid = 0 AND h.schema_oid IN (SELECT s.oid FROM hk_target_schema AS s))
),
hk_source_object AS (
    SELECT h.classid, h.objid
    FROM hk_home AS h
    WHERE
        h.schema_oid IN (SELECT s.oid FROM hk_source_schema AS s)
        AND h.relation_oid NOT IN (SELECT r.oid FROM hk_target_relation AS r)
),
-- Objects that cannot do without an object on the other side.
hk_crossing AS (
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.deptype, true AS outward
    FROM pg_catalog.pg_depend AS d
    INNER JOIN hk_source_object AS s ON d.classid = s.classid AND d.objid = s.objid
    INNER JOIN hk_target_object AS t ON d.refclassid = t.classid AND d.refobjid = t.objid
    UNION ALL
    -- The other way round only what lets the source act inside the target: a key that refers to
    -- the source, and a function of the source's that the target's tables call.
    SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.deptype, false
    FROM pg_catalog.pg_depend AS d
    INNER JOIN hk_target_object AS t ON d.classid = t.classid AND d.objid = t.objid
    INNER JOIN hk_source_object AS s ON d.refclassid = s.classid AND d.refobjid = s.objid
    WHERE
        d.classid NOT IN (
            'pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
        AND (
            d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            OR d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        )
),
hk_target_owner (oid, object, typed) AS (
    SELECT s.owner, 'schema ' || s.object, 'SCHEMA ' || s.object FROM hk_target_schema AS s
    UNION ALL
    SELECT r.owner, r.object, 'TABLE ' || r.object FROM hk_target_relation AS r
    UNION ALL
    SELECT f.owner, f.object, 'ROUTINE ' || f.object FROM hk_target_function AS f
),
-- Roles that the source is a member of and somebody else lives by, such as another application's:
-- what was granted to them is rightly theirs, and the membership is what is wrong.
hk_source_lent AS (
    SELECT
        h.oid,
        pg_catalog.string_agg(DISTINCT e.revoke, ' ') AS fix,
        pg_catalog.min(h.role_object) AS role,
        'boundary-membership ' || pg_catalog.min(h.role_object) AS because
    FROM hk_source_reach AS h
    INNER JOIN hk_edge AS e ON h.oid = e.roleid
    INNER JOIN hk_source_reach AS m ON e.member = m.oid AND h.role = m.role
    INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
    WHERE
        h.oid NOT IN (SELECT s.oid FROM hk_source_role AS s)
        AND (
            r.rolcanlogin
            OR h.oid IN (SELECT t.oid FROM hk_target_role AS t)
            OR h.oid IN (SELECT o.oid FROM hk_target_owner AS o)
        )
    GROUP BY h.oid
),
-- Every privilege on a relation of the target that a grant gives to the source or to PUBLIC.
hk_target_grant AS (
    SELECT r.oid, r.object, r.relkind, g.grantee, e.object AS grantee_object, g.privilege_type AS privilege
    FROM hk_target_relation AS r
    CROSS JOIN LATERAL pg_catalog.aclexplode(r.acl) AS g
    INNER JOIN hk_grantee AS e ON g.grantee = e.oid
    WHERE g.grantee <> r.owner
    UNION ALL
    SELECT
        r.oid,
        r.object,
        r.relkind,
        g.grantee,
        e.object,
        pg_catalog.format('%s (%I)', g.privilege_type, a.attname)
    FROM hk_target_relation AS r
    INNER JOIN pg_catalog.pg_attribute AS a ON r.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    INNER JOIN hk_grantee AS e ON g.grantee = e.oid
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND g.grantee <> r.owner
),
-- The same, all that one grantee holds on one relation together.
hk_target_privilege AS (
    SELECT
        g.object,
        g.relkind,
        g.grantee,
        g.grantee_object,
        pg_catalog.string_agg(g.privilege, ', ' ORDER BY g.privilege) AS privileges
    FROM hk_target_grant AS g
    GROUP BY g.object, g.relkind, g.grantee, g.grantee_object
)
