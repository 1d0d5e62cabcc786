-- title: A protected table is granted to PUBLIC
-- level: error
-- why: PUBLIC is every role, also the ones that will be made tomorrow: an attacker needs no
--   grant of its own, and REVOKE from one role takes nothing away.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE ALL ON {object} FROM PUBLIC;
-- leak: SELECT grantee, privilege_type FROM information_schema.role_table_grants
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- examines: hk_table
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT SELECT (id) ON {schema}.hk_tripwire TO PUBLIC;
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT ON {schema}.hk_good TO {role};
SELECT
    g.object,
    pg_catalog.format(
        'everybody may %s', pg_catalog.string_agg(DISTINCT g.privilege, ', ' ORDER BY g.privilege)
    ) AS detail
FROM (
    SELECT t.object, a.privilege
    FROM hk_table_grant AS a
    INNER JOIN hk_table AS t ON a.oid = t.oid
    WHERE a.grantee = 0
    UNION ALL
    SELECT r.object, r.privilege
    FROM hk_relation_grant AS r
    WHERE
        r.grantee = 'PUBLIC'
        AND (r.relkind IN ('v', 'm') AND r.oid IN (SELECT v.oid FROM hk_view AS v))
) AS g
GROUP BY g.object
