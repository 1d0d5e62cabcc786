-- title: A materialized view shows what policies hide
-- level: error
-- why: a materialized view holds the rows that its owner saw when it was refreshed, and has no
--   row-level security of its own. Whoever may read it reads the rows of every tenant.
--   https://www.postgresql.org/docs/16/rules-materializedviews.html
-- fix: REVOKE ALL ON {object} FROM {grantees};
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {object} LIMIT 5; -- rows of everybody
--   ROLLBACK;
-- examines: hk_view
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   CREATE MATERIALIZED VIEW {schema}.hk_tripwire_view AS SELECT id FROM {schema}.hk_tripwire;
--   GRANT SELECT ON {schema}.hk_tripwire_view TO {role};
-- tripwire-object: {schema}.hk_tripwire_view
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE MATERIALIZED VIEW {schema}.hk_good_view AS SELECT id FROM {schema}.hk_good WITH NO DATA;
SELECT
    g.object,
    pg_catalog.format(
        'it keeps rows of protected tables, and %s may read it',
        pg_catalog.string_agg(DISTINCT g.grantee, ', ')
    ) AS detail,
    pg_catalog.string_agg(DISTINCT g.grantee, ', ') AS grantees,
    pg_catalog.min(g.grantee) FILTER (WHERE g.grantee <> 'PUBLIC') AS role,
    pg_catalog.min(g.fix) AS fix
FROM hk_relation_grant AS g
WHERE
    g.relkind = 'm'
    AND g.privilege = 'SELECT'
    AND g.oid IN (SELECT v.oid FROM hk_view AS v)
GROUP BY g.object
