-- title: An untrusted role may empty or rewrite a protected table
-- level: error
-- why: TRUNCATE asks no policy: an attacker who sees one row of the table empties it for every
--   tenant. MAINTAIN, since PostgreSQL 17, locks and rewrites it whole.
--   https://www.postgresql.org/docs/16/ddl-rowsecurity.html
-- fix: REVOKE {privileges} ON {object} FROM {grantee};
-- leak: SELECT grantee, privilege_type FROM information_schema.role_table_grants
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT TRUNCATE ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.hk_good TO {role};
SELECT
    g.object,
    pg_catalog.format('%s may %s', g.grantee, g.privileges) AS detail,
    g.privileges,
    g.grantee,
    g.fix
FROM (
    SELECT
        p.object,
        p.grantee,
        p.fix,
        pg_catalog.string_agg(p.privilege, ', ' ORDER BY p.privilege) AS privileges
    FROM hk_table_privilege AS p
    WHERE p.privilege IN ('TRUNCATE', 'MAINTAIN')
    GROUP BY p.object, p.grantee, p.fix
) AS g
