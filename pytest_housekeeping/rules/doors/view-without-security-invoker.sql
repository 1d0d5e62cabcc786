-- title: A view reads protected tables as its owner
-- level: error
-- why: without security_invoker a view's tables are read with the rights and the policies of
--   the view's owner, not of the role that asks: an attacker reads what the owner sees. That
--   counts for each view of a chain. CREATE OR REPLACE VIEW without the option clears it.
--   https://www.postgresql.org/docs/16/sql-createview.html
-- fix: ALTER VIEW {object} SET (security_invoker = true);
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {object} LIMIT 5; -- rows of everybody
--   ROLLBACK;
-- examines: hk_view
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE VIEW {schema}.hk_tripwire_view AS SELECT id FROM {schema}.hk_tripwire;
-- tripwire-object: {schema}.hk_tripwire_view
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE VIEW {schema}.hk_good_view WITH (security_invoker = true)
--   AS SELECT id FROM {schema}.hk_good;
SELECT
    v.object,
    pg_catalog.format('its tables are read as %I, its owner', r.rolname) AS detail,
    g.role
FROM hk_view AS v
INNER JOIN pg_catalog.pg_roles AS r ON v.owner = r.oid
LEFT JOIN (
    SELECT g.oid, pg_catalog.min(g.grantee) AS role
    FROM hk_relation_grant AS g
    WHERE g.privilege = 'SELECT' AND g.grantee <> 'PUBLIC'
    GROUP BY g.oid
) AS g ON v.oid = g.oid
WHERE v.relkind = 'v' AND NOT v.security_invoker
