-- title: A policy calls a volatile function
-- level: warning
-- why: a volatile function may answer differently for each row and may write: set_config() in a
--   policy changes who the session acts for while it reads. Nothing can be proved about such a
--   policy beforehand, and it is asked again for every row.
--   https://www.postgresql.org/docs/16/xfunc-volatility.html
-- fix: ALTER FUNCTION {function} STABLE;
-- leak: SELECT * FROM pg_catalog.pg_policies
--   WHERE pg_catalog.format('%I.%I', schemaname, tablename) = $hk${on}$hk$;
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL);
--   CREATE FUNCTION {schema}.hk_tripwire() RETURNS text LANGUAGE sql AS $$ SELECT 'a' $$;
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role}
--   USING (tenant = {schema}.hk_tripwire());
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL);
--   CREATE FUNCTION {schema}.hk_good() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'a' $$;
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role} USING (tenant = {schema}.hk_good());
WITH called AS (
    -- funcid and opfuncid are followed by a number and a space.
    SELECT DISTINCT t.tree, f.oid
    FROM hk_tree AS t
    CROSS JOIN LATERAL pg_catalog.unnest(
        (pg_catalog.string_to_array(t.tree, 'funcid '))[2:]
    ) AS m (rest)
    -- Told apart, and sorted for that, is only what is volatile: trees are long.
    INNER JOIN pg_catalog.pg_proc AS f ON f.oid = pg_catalog.split_part(m.rest, ' ', 1)::oid
    WHERE m.rest ~ '^\d+ ' AND f.provolatile = 'v'
)

SELECT
    p.object,
    pg_catalog.format(
        'it calls %s, which %s volatile',
        pg_catalog.string_agg(DISTINCT f.oid::pg_catalog.regprocedure::text, ', '),
        CASE WHEN pg_catalog.count(DISTINCT f.oid) = 1 THEN 'is' ELSE 'are' END
    ) AS detail,
    pg_catalog.min(f.oid::pg_catalog.regprocedure::text) AS function,
    CASE
        WHEN pg_catalog.bool_or(f.oid < 16384)
            THEN pg_catalog.format('DROP POLICY %s;', p.object)
                || E'\n-- and write it again without ' || pg_catalog.min(f.proname::text)
    END AS fix
FROM called AS c
INNER JOIN pg_catalog.pg_proc AS f ON c.oid = f.oid
INNER JOIN hk_clause AS k ON c.tree = k.tree
INNER JOIN hk_policy_fact AS p ON k.policy_oid = p.oid
GROUP BY p.object
