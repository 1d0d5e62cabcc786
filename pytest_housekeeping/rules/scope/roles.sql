-- Schemas, roles, and what an untrusted role is, reaches and can become.
-- What is in braces here and beside, the engine fills in as literals.
hk_declared (schemas, roles, reachable_only) AS (
    SELECT {schemas}::text[], {roles}::text[], {unfinished}::boolean
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
-- The logins that have a named role's rights from the start: whatever else they may become by
-- SET ROLE, an attacker may who is within such a session.
hk_within (oid) AS (
    SELECT l.oid
    FROM hk_login AS l
    INNER JOIN hk_edge AS e ON l.oid = e.member
    WHERE e.inherits AND e.roleid IN (SELECT m.oid FROM hk_member AS m)
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
-- inherits from, may SET ROLE to, or may grant to itself. Of a login what it has beside the named
-- roles, which are judged for themselves: one that inherits none of them becomes one of several by
-- SET ROLE alone, as a gate before them does, and has what it inherits.
hk_reach (role, role_object, oid, login) AS (
    SELECT r.oid, r.object, r.oid, r.login FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, e.roleid, h.login
    FROM hk_reach AS h
    INNER JOIN hk_edge AS e ON h.oid = e.member
    WHERE NOT h.login OR (NOT e.to_declared AND (e.inherits OR h.role IN (SELECT a.oid FROM hk_within AS a)))
),
-- Which role it can become: attributes such as BYPASSRLS are not inherited.
hk_become (role, role_object, oid, login) AS (
    SELECT r.oid, r.object, r.oid, r.login FROM hk_role AS r
    UNION
    SELECT h.role, h.role_object, e.roleid, h.login
    FROM hk_become AS h
    INNER JOIN hk_edge AS e ON h.oid = e.member
    WHERE (e.sets OR e.admins) AND (NOT h.login OR (NOT e.to_declared AND (e.inherits OR h.role IN (SELECT a.oid FROM hk_within AS a))))
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
    WHERE e.roleid <> h.role AND (NOT h.login OR (NOT e.to_declared AND (e.inherits OR h.role IN (SELECT a.oid FROM hk_within AS a))))
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
)
