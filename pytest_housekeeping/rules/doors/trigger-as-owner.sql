-- title: A trigger runs as a role that no policy binds
-- level: error
-- why: a SECURITY DEFINER trigger function acts as its owner. Where that owner is exempt from
--   row-level security, an INSERT by one tenant reads or changes the rows of the others; so does
--   one into a table outside the protected schemas.
--   https://www.postgresql.org/docs/16/trigger-definition.html
-- fix: ALTER FUNCTION {function} SECURITY INVOKER;
-- leak: SELECT tgname, tgfoid::pg_catalog.regprocedure FROM pg_catalog.pg_trigger
--   WHERE tgrelid = $hk${on}$hk$::pg_catalog.regclass AND NOT tgisinternal;
-- tripwire-superuser: CREATE SCHEMA {tripwire_role};
--   CREATE FUNCTION {tripwire_role}.hk_tripwire() RETURNS trigger
--   LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS 'BEGIN RETURN NULL; END';
--   GRANT USAGE ON SCHEMA {tripwire_role} TO {migrator};
--   GRANT EXECUTE ON FUNCTION {tripwire_role}.hk_tripwire() TO {migrator};
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE TRIGGER hk_tripwire AFTER INSERT ON {schema}.hk_tripwire
--   FOR EACH ROW EXECUTE FUNCTION {tripwire_role}.hk_tripwire();
-- tripwire-object: hk_tripwire ON {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE FUNCTION {schema}.hk_good() RETURNS trigger
--   LANGUAGE plpgsql SET search_path = '' AS 'BEGIN RETURN NULL; END';
--   CREATE TRIGGER hk_good AFTER INSERT ON {schema}.hk_good
--   FOR EACH ROW EXECUTE FUNCTION {schema}.hk_good();
SELECT
    pg_catalog.format('%I ON %s', g.name, g.table_object) AS object,
    pg_catalog.format(
        'it calls %s as its owner %s, which is %s',
        f.oid::pg_catalog.regprocedure,
        x.object,
        x.words
    ) AS detail,
    f.oid::pg_catalog.regprocedure::text AS function
FROM hk_set_off AS g
INNER JOIN pg_catalog.pg_proc AS f ON g.function_oid = f.oid
INNER JOIN hk_exempt_role AS x ON f.proowner = x.oid
WHERE f.prosecdef
