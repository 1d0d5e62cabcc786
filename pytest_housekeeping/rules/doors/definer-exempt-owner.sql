-- title: A SECURITY DEFINER function runs as a role that no policy binds
-- level: error
-- why: the function reads and writes as its owner, and its owner is exempt from row-level
--   security: whatever its arguments select, an attacker gets from the rows of every tenant.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: REVOKE ALL ON ROUTINE {object} FROM {grantees};
--   -- or ALTER ROUTINE {object} OWNER TO a role that obeys the policies
-- leak: SELECT p.proowner::pg_catalog.regrole, r.rolsuper, r.rolbypassrls FROM pg_catalog.pg_proc
--   AS p
--   JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
--   WHERE p.oid = $hk${object}$hk$::pg_catalog.regprocedure;
-- examines: hk_function
-- tripwire-superuser: CREATE SCHEMA {tripwire_role};
--   CREATE FUNCTION {tripwire_role}.hk_tripwire() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {tripwire_role}.hk_tripwire() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire() TO {migrator} WITH GRANT OPTION;
--   GRANT USAGE ON SCHEMA {tripwire_role} TO {migrator} WITH GRANT OPTION;
-- tripwire: GRANT USAGE ON SCHEMA {tripwire_role} TO {role};
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire() TO {role};
-- tripwire-object: {tripwire_role}.hk_tripwire()
-- good: CREATE FUNCTION {schema}.hk_good() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {schema}.hk_good() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.hk_good() TO {role};
SELECT
    f.object,
    pg_catalog.format(
        'its owner %s is %s, and %s may call it',
        x.object,
        x.words,
        pg_catalog.string_agg(DISTINCT c.role_object, ', ')
    ) AS detail,
    pg_catalog.string_agg(DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', ') AS grantees
FROM hk_function AS f
INNER JOIN hk_exempt_role AS x ON f.owner = x.oid
INNER JOIN hk_caller AS c ON f.oid = c.oid
LEFT JOIN pg_catalog.pg_roles AS r ON c.grantee = r.oid
WHERE f.security_definer
GROUP BY f.object, x.object, x.words
