-- title: A trigger runs as a role that no policy binds
-- level: error
-- why: a SECURITY DEFINER trigger function acts as its owner. Where that owner is exempt from
--   row-level security, or has a policy of its own that compares no row with the session, an
--   INSERT by one tenant reads or changes the rows of the others. So does one into a view or a
--   table elsewhere, and an event trigger is set off by whoever makes a temporary table.
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
    g.object,
    pg_catalog.format('it calls %s: %s', f.object, a.words) AS detail,
    f.object AS function,
    a.fix || E'\n-- or ALTER FUNCTION ' || f.object || ' SECURITY INVOKER;' AS fix
FROM hk_fired AS g
INNER JOIN hk_definer AS f ON g.function_oid = f.oid
INNER JOIN hk_acts_past AS a ON f.oid = a.oid
