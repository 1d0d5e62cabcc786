-- title: A policy for INSERT checks nothing
-- level: error
-- why: a policy FOR INSERT has no USING to fall back on. Without WITH CHECK it admits no row
--   today, and reads as if it guarded something: whoever repairs the failing INSERT with
--   another policy or with WITH CHECK (true) lets rows be written in anybody's name.
--   https://www.postgresql.org/docs/16/sql-createpolicy.html
-- fix: DROP POLICY {object};
--   -- and write it again with WITH CHECK (<column> = <the identity>)
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
--   -- with_check is empty: a row of anybody's can be written
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire FOR INSERT TO {role};
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good FOR INSERT TO {role}
--   WITH CHECK (tenant = current_setting('hk.tenant', true));
SELECT
    p.object,
    'it is for INSERT and has no WITH CHECK' AS detail
FROM hk_policy_fact AS p
WHERE p.command = 'a' AND p.permissive AND p.polwithcheck IS NULL
