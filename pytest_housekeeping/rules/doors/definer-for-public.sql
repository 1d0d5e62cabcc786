-- title: PUBLIC may call a SECURITY DEFINER function
-- level: error
-- why: a new function may be executed by PUBLIC unless that is revoked. One that runs with its
--   owner's rights is then a door for every role that enters the schema, today or tomorrow: an
--   attacker calls it with arguments of its own choice.
--   https://www.postgresql.org/docs/16/sql-createfunction.html
-- fix: REVOKE ALL ON ROUTINE {object} FROM PUBLIC;
--   -- and GRANT EXECUTE to the roles that are meant to call it
-- leak: SELECT prosecdef, proacl FROM pg_catalog.pg_proc
--   WHERE oid = $hk${object}$hk$::pg_catalog.regprocedure;
--   -- no ACL, or one that begins with =X: everybody may call it
-- examines: hk_function
-- tripwire: CREATE FUNCTION {schema}.hk_tripwire() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   GRANT EXECUTE ON FUNCTION {schema}.hk_tripwire() TO PUBLIC;
-- tripwire-object: {schema}.hk_tripwire()
-- good: CREATE FUNCTION {schema}.hk_good() RETURNS integer
--   LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {schema}.hk_good() FROM PUBLIC;
SELECT
    f.object,
    pg_catalog.format('it runs as %I, and everybody may call it', r.rolname) AS detail
FROM hk_function AS f
INNER JOIN pg_catalog.pg_roles AS r ON f.owner = r.oid
WHERE
    f.security_definer
    AND NOT f.for_triggers
    AND EXISTS (
        SELECT FROM pg_catalog.aclexplode(coalesce(f.acl, pg_catalog.acldefault('f', f.owner))) AS g
        WHERE g.grantee = 0
    )
