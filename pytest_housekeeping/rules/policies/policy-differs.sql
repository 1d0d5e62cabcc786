-- title: A policy differs from its declaration
-- level: error
-- why: rls.toml declares what the policy says, and somebody has changed the policy since: an
--   attacker needs no more than a WITH CHECK that was dropped on the way. Expressions are
--   declared as PostgreSQL prints them.
--   https://www.postgresql.org/docs/16/sql-alterpolicy.html
-- fix: DROP POLICY {object};
--   CREATE POLICY {object} {definition};
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire_declared (id integer);
--   ALTER TABLE {schema}.hk_tripwire_declared ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY declared ON {schema}.hk_tripwire_declared TO {role} USING (id = 7);
-- tripwire-object: declared ON {schema}.hk_tripwire_declared
-- good: CREATE TABLE {schema}.hk_tripwire_declared (id integer);
--   ALTER TABLE {schema}.hk_tripwire_declared ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire_declared FORCE ROW LEVEL SECURITY;
--   CREATE POLICY declared ON {schema}.hk_tripwire_declared USING (false);
WITH there AS (
    SELECT
        d.*,
        CASE p.polcmd
            WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
            WHEN 'd' THEN 'DELETE' ELSE 'ALL'
        END AS its_command,
        p.polpermissive AS its_permissive,
        ARRAY(
            SELECT coalesce(r.rolname::text, 'public')
            FROM pg_catalog.unnest(p.polroles) AS n (oid)
            LEFT JOIN pg_catalog.pg_roles AS r ON n.oid = r.oid
            ORDER BY 1
        ) AS its_roles,
        ARRAY(SELECT r.name FROM pg_catalog.unnest(d.roles) AS r (name) ORDER BY 1) AS wanted_roles,
        pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS its_using,
        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS its_check
    FROM hk_declared_policy AS d
    INNER JOIN pg_catalog.pg_policy AS p ON d.table_oid = p.polrelid AND d.name = p.polname
),

compared AS (
    SELECT
        t.*,
        pg_catalog.regexp_replace(t.its_using, '\s+', ' ', 'g') IS DISTINCT FROM
        pg_catalog.regexp_replace(t.using_expression, '\s+', ' ', 'g') AS other_using,
        pg_catalog.regexp_replace(t.its_check, '\s+', ' ', 'g') IS DISTINCT FROM
        pg_catalog.regexp_replace(t.check_expression, '\s+', ' ', 'g') AS other_check
    FROM there AS t
)

SELECT
    c.object,
    'it is there with ' || pg_catalog.concat_ws(
        ', ',
        CASE WHEN c.its_command <> c.command THEN 'command = ' || c.its_command END,
        CASE
            WHEN c.its_permissive <> c.permissive THEN 'permissive = ' || c.its_permissive::text
        END,
        CASE
            WHEN c.its_roles <> c.wanted_roles
                THEN 'roles = ' || pg_catalog.array_to_string(c.its_roles, ', ')
        END,
        CASE WHEN c.other_using THEN 'using = ' || coalesce(c.its_using, '(none)') END,
        CASE WHEN c.other_check THEN 'check = ' || coalesce(c.its_check, '(none)') END
    ) AS detail,
    c.definition
FROM compared AS c
WHERE
    c.its_command <> c.command
    OR c.its_permissive <> c.permissive
    OR c.its_roles <> c.wanted_roles
    OR c.other_using
    OR c.other_check
