-- title: A declared policy is missing
-- level: error
-- why: rls.toml declares the policy under [[policy]], and the table has none of that name. What
--   it kept from an attacker is open, or what it allowed no longer works. The keys of [[policy]]
--   are table and name, and optional command ("ALL"), permissive (true), roles (["public"]),
--   using and check, both as PostgreSQL prints them: the finding policy-differs shows the text.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: CREATE POLICY {object} {definition};
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire_declared (id integer);
--   ALTER TABLE {schema}.hk_tripwire_declared ENABLE ROW LEVEL SECURITY;
-- tripwire-object: declared ON {schema}.hk_tripwire_declared
-- good: CREATE TABLE {schema}.hk_tripwire_declared (id integer);
--   ALTER TABLE {schema}.hk_tripwire_declared ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire_declared FORCE ROW LEVEL SECURITY;
--   CREATE POLICY declared ON {schema}.hk_tripwire_declared USING (false);
SELECT
    d.object,
    CASE
        WHEN d.table_oid IS NULL THEN 'it is declared, and there is no such table'
        ELSE 'it is declared, and the table has no policy of this name'
    END AS detail,
    d.definition
FROM hk_declared_policy AS d
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_policy AS p
    WHERE p.polrelid = d.table_oid AND p.polname = d.name
)
