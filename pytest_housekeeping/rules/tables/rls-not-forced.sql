-- title: The owner is exempt from row-level security
-- level: error
-- why: the owner of a table does not obey its policies unless they are forced. Every SECURITY
--   DEFINER function, view and migration of the owner then sees the rows of all tenants.
--   https://www.postgresql.org/docs/16/sql-altertable.html
-- fix: {force}
-- leak: SELECT relforcerowsecurity, relowner::pg_catalog.regrole FROM pg_catalog.pg_class
--   WHERE oid = $hk${object}$hk$::pg_catalog.regclass;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   ALTER TABLE {schema}.hk_tripwire ENABLE ROW LEVEL SECURITY;
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
SELECT
    t.object,
    pg_catalog.format('its owner %I does not obey the policies', r.rolname) AS detail,
    f.statements AS force
FROM hk_table AS t
INNER JOIN hk_forcing AS f ON t.oid = f.oid
INNER JOIN pg_catalog.pg_roles AS r ON t.owner = r.oid
WHERE t.row_security AND NOT t.forced
