-- title: A function of the project is marked LEAKPROOF
-- level: error
-- why: PostgreSQL may call a LEAKPROOF function before the policy has decided. One that raises
--   or logs its argument shows an attacker the values of rows that the policy hides.
--   https://www.postgresql.org/docs/16/rules-privileges.html
-- fix: ALTER ROUTINE {object} NOT LEAKPROOF;
-- leak: SELECT proleakproof, prosrc FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- examines: hk_function
-- tripwire-superuser: CREATE SCHEMA {tripwire_role};
--   CREATE FUNCTION {tripwire_role}.hk_tripwire(text) RETURNS boolean
--   LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true';
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire(text) TO {migrator} WITH GRANT OPTION;
--   GRANT USAGE ON SCHEMA {tripwire_role} TO {migrator} WITH GRANT OPTION;
-- tripwire: GRANT USAGE ON SCHEMA {tripwire_role} TO {role};
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire(text) TO {role};
-- tripwire-object: {tripwire_role}.hk_tripwire(text)
-- good: CREATE FUNCTION {schema}.hk_good(text) RETURNS boolean
--   LANGUAGE sql IMMUTABLE AS 'SELECT true';
SELECT
    f.object,
    'it may be called before the policies have decided' AS detail
FROM hk_function AS f
INNER JOIN pg_catalog.pg_proc AS p ON f.oid = p.oid
WHERE p.proleakproof
