-- title: A function that reads the session is marked IMMUTABLE
-- level: error
-- why: the planner calls an IMMUTABLE function once and keeps the answer in the plan. In a
--   pooled session the next tenant then runs a cached plan with the identity of the one before,
--   and reads its rows.
--   https://www.postgresql.org/docs/16/xfunc-volatility.html
-- fix: ALTER FUNCTION {object} STABLE;
-- leak: SELECT provolatile, prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
--   -- i: a plan that is kept goes on with the identity of the session that made it
-- examines: hk_policy_fact
-- tripwire: CREATE TABLE {schema}.hk_tripwire (tenant text NOT NULL);
--   CREATE FUNCTION {schema}.hk_tripwire() RETURNS text LANGUAGE sql IMMUTABLE
--   AS $$ SELECT current_setting('hk.tenant', true) $$;
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
--   CREATE POLICY hk_tripwire ON {schema}.hk_tripwire TO {role}
--   USING (tenant = {schema}.hk_tripwire());
-- tripwire-object: {schema}.hk_tripwire()
-- good: CREATE TABLE {schema}.hk_good (tenant text NOT NULL);
--   CREATE FUNCTION {schema}.hk_good(given text) RETURNS text LANGUAGE sql IMMUTABLE
--   AS $$ SELECT lower(given) $$;
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = {schema}.hk_good(current_setting('hk.tenant', true)));
WITH asked (oid) AS (
    SELECT DISTINCT d.refobjid
    FROM hk_policy_depends AS d
    WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
),

body AS (
    SELECT
        f.oid,
        f.provolatile,
        l.lanname AS language,
        CASE
            WHEN f.prosqlbody IS NULL THEN f.prosrc
            ELSE pg_catalog.pg_get_function_sqlbody(f.oid)
        END AS text
    FROM asked AS a
    INNER JOIN pg_catalog.pg_proc AS f ON a.oid = f.oid
    INNER JOIN pg_catalog.pg_language AS l ON f.prolang = l.oid
    WHERE
        f.oid NOT IN (
            SELECT e.objid FROM hk_extension_member AS e
            WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
)

SELECT
    b.oid::pg_catalog.regprocedure::text AS object,
    CASE
        WHEN b.language IN ('sql', 'plpgsql') THEN 'it is IMMUTABLE and reads the session or a table'
        ELSE pg_catalog.format(
            'undecided: it is IMMUTABLE and written in %I, which is not read here', b.language
        )
    END AS detail
FROM body AS b
WHERE
    b.provolatile = 'i'
    AND (
        b.language NOT IN ('sql', 'plpgsql')
        OR b.text ~* (
            '\m(current_setting|current_user|session_user|current_role|current_schema|current_database'
            || '|current_query|current_date|current_time(stamp)?|localtime(stamp)?|user|now|statement_timestamp'
            || '|transaction_timestamp|clock_timestamp|timeofday|inet_client_addr|pg_backend_pid'
            || '|txid_current|random|nextval)\M'
        )
        OR b.text ~* '\m(from|join)\s+["a-z_][^\s(]*(\s|$|;)'
    )
