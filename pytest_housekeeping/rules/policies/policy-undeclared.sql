-- title: A policy stands beside the declared ones
-- level: error
-- why: where rls.toml declares one policy of a table, it declares them all. Permissive policies
--   are joined by OR, so that one more, left from a test or put there by an attacker, opens what
--   the declared ones close.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire_declared (id integer);
--   ALTER TABLE {schema}.hk_tripwire_declared ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY declared ON {schema}.hk_tripwire_declared USING (false);
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire_declared TO {role} USING (id = 7);
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire_declared
-- good: CREATE TABLE {schema}.hk_tripwire_declared (id integer);
--   ALTER TABLE {schema}.hk_tripwire_declared ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_tripwire_declared FORCE ROW LEVEL SECURITY;
--   CREATE POLICY declared ON {schema}.hk_tripwire_declared USING (false);
SELECT
    p.object,
    'the table has declared policies, and this one is not among them' AS detail
FROM hk_policy_fact AS p
WHERE
    p.table_oid IN (SELECT d.table_oid FROM hk_declared_policy AS d WHERE d.table_oid IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM hk_declared_policy AS d
        WHERE d.table_oid = p.table_oid AND d.name = p.name
    )
