-- title: A grant on columns beside one on the whole table
-- level: warning
-- why: the grant on the table wins: the list of columns limits nothing, and taking a column out
--   of it takes no right away. What was meant to be hidden is read by an attacker.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: REVOKE {privilege} ON {object} FROM {grantee};
--   GRANT {privilege} ({columns}) ON {object} TO {grantee};
-- leak: SELECT grantee, column_name, privilege_type FROM information_schema.column_privileges
--   WHERE pg_catalog.format('%I.%I', table_schema, table_name) = $hk${object}$hk$;
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer, secret text);
--   GRANT SELECT ON {schema}.hk_tripwire TO {role};
--   GRANT SELECT (id) ON {schema}.hk_tripwire TO {role};
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT (id, tenant) ON {schema}.hk_good TO {role};
SELECT
    t.object,
    pg_catalog.format(
        '%s may %s the whole table, so that the grant on %s limits nothing',
        coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'),
        c.privilege,
        c.columns
    ) AS detail,
    c.privilege,
    c.columns,
    coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee
FROM (
    SELECT
        g.oid,
        g.privilege,
        g.grantee,
        pg_catalog.string_agg(pg_catalog.format('%I', a.attname), ', ' ORDER BY a.attnum) AS columns
    FROM hk_table_grant AS g
    INNER JOIN pg_catalog.pg_attribute AS a ON g.oid = a.attrelid AND g.attnum = a.attnum
    WHERE g.attnum > 0
    GROUP BY g.oid, g.privilege, g.grantee
) AS c
INNER JOIN hk_table AS t ON c.oid = t.oid
LEFT JOIN pg_catalog.pg_roles AS r ON c.grantee = r.oid
WHERE EXISTS (
    SELECT FROM hk_access AS w
    WHERE w.oid = c.oid AND w.privilege = c.privilege AND w.grantee = c.grantee AND w.attnum = 0
)
