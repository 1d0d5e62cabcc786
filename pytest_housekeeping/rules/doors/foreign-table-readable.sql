-- title: A foreign table is open to an untrusted role
-- level: error
-- why: row-level security cannot be enabled on a foreign table: whoever may read it reads every
--   row that the mapped account of the other server may read, and writes likewise.
--   https://www.postgresql.org/docs/16/sql-createforeigntable.html
-- fix: REVOKE ALL ON {object} FROM {grantees};
-- leak: SELECT grantee, privilege_type FROM information_schema.role_table_grants
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- tripwire-superuser: CREATE FOREIGN DATA WRAPPER {tripwire_role};
--   GRANT USAGE ON FOREIGN DATA WRAPPER {tripwire_role} TO {migrator};
-- tripwire: CREATE SERVER {tripwire_role} FOREIGN DATA WRAPPER {tripwire_role};
--   CREATE FOREIGN TABLE {schema}.hk_tripwire (id integer) SERVER {tripwire_role};
--   GRANT SELECT ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
SELECT
    g.object,
    pg_catalog.format(
        'no policy filters it, and %s may %s',
        pg_catalog.string_agg(DISTINCT g.grantee, ', '),
        pg_catalog.string_agg(DISTINCT g.privilege, ', ')
    ) AS detail,
    pg_catalog.string_agg(DISTINCT g.grantee, ', ') AS grantees,
    pg_catalog.min(g.fix) AS fix
FROM hk_relation_grant AS g
WHERE g.relkind = 'f' AND g.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
GROUP BY g.object
