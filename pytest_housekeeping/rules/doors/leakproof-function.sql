-- title: A function is marked LEAKPROOF that PostgreSQL did not mark
-- level: error
-- why: PostgreSQL may call a LEAKPROOF function before the policy has decided. One that raises
--   or logs its argument shows an attacker the values of rows that the policy hides; a built-in
--   one that fails for some values, as a division does, says which.
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
UNION ALL
SELECT
    pg_catalog.format(
        'pg_catalog.%I(%s)', p.proname, pg_catalog.oidvectortypes(p.proargtypes)
    ),
    'it is PostgreSQL''s own, and was marked here: it may be called before the policies have decided'
FROM pg_catalog.pg_proc AS p
WHERE
    p.proleakproof
    AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
    AND p.oid < 16384::oid
    -- The row that the server came with was written by transaction 1. One that was granted or
    -- taken since is another row as well, and says so in its ACL.
    AND p.xmin::text <> '1'
    AND p.proacl IS NULL
    AND EXISTS (SELECT FROM hk_role)
