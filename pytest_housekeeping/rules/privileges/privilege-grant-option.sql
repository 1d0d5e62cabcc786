-- title: An untrusted role may pass its privileges on
-- level: error
-- why: WITH GRANT OPTION lets a role hand its privilege to whomever it likes, PUBLIC among them:
--   an attacker who has taken over one application opens the table for the others, and what it
--   granted stays when its own hole is mended. ADMIN OPTION does the same with a whole role.
--   https://www.postgresql.org/docs/16/sql-grant.html
-- fix: REVOKE GRANT OPTION FOR {privileges} ON {typed} FROM {grantee} CASCADE;
-- leak: SELECT grantee, table_schema, table_name, privilege_type
--   FROM information_schema.role_table_grants WHERE is_grantable = 'YES';
-- examines: hk_any_table
-- tripwire: CREATE TABLE {schema}.hk_tripwire (id integer);
--   GRANT SELECT ON {schema}.hk_tripwire TO {role} WITH GRANT OPTION;
-- tripwire-object: {schema}.hk_tripwire
-- good: CREATE TABLE {schema}.hk_good (id integer, tenant text NOT NULL);
--   ALTER TABLE {schema}.hk_good ENABLE ROW LEVEL SECURITY;
--   ALTER TABLE {schema}.hk_good FORCE ROW LEVEL SECURITY;
--   CREATE POLICY own ON {schema}.hk_good TO {role}
--   USING (tenant = current_setting('hk.tenant', true));
--   GRANT SELECT ON {schema}.hk_good TO {role};
SELECT
    o.object,
    pg_catalog.format(
        '%I may pass %s on',
        r.rolname,
        pg_catalog.string_agg(DISTINCT o.privilege, ', ' ORDER BY o.privilege)
    ) AS detail,
    pg_catalog.string_agg(DISTINCT o.privilege, ', ' ORDER BY o.privilege) AS privileges,
    o.kind || o.object AS typed,
    pg_catalog.format('%I', r.rolname) AS grantee,
    l.fix
FROM (
    SELECT
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END AS kind,
        s.object || pg_catalog.format('.%I', c.relname) AS object,
        g.privilege_type AS privilege,
        g.grantee,
        c.relowner AS owner
    FROM pg_catalog.pg_class AS c
    INNER JOIN hk_schema AS s ON c.relnamespace = s.oid
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS g
    WHERE g.is_grantable
    UNION ALL
    SELECT
        '',
        s.object || pg_catalog.format('.%I', c.relname),
        pg_catalog.format('%s (%I)', g.privilege_type, a.attname),
        g.grantee,
        c.relowner
    FROM pg_catalog.pg_class AS c
    INNER JOIN hk_schema AS s ON c.relnamespace = s.oid
    INNER JOIN pg_catalog.pg_attribute AS a ON c.oid = a.attrelid
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    WHERE a.attacl IS NOT NULL AND g.is_grantable
    UNION ALL
    SELECT 'ROUTINE ', f.object, g.privilege_type, g.grantee, f.owner
    FROM hk_function AS f
    CROSS JOIN LATERAL pg_catalog.aclexplode(f.acl) AS g
    WHERE g.is_grantable AND f.schema_oid IN (SELECT s.oid FROM hk_schema AS s)
    UNION ALL
    SELECT 'SCHEMA ', s.object, g.privilege_type, g.grantee, s.owner
    FROM hk_schema AS s
    CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) AS g
    WHERE g.is_grantable
    UNION ALL
    SELECT 'DATABASE ', pg_catalog.format('%I', d.datname), g.privilege_type, g.grantee, d.datdba
    FROM pg_catalog.pg_database AS d
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) AS g
    WHERE g.is_grantable AND d.datname = pg_catalog.current_database()
) AS o
INNER JOIN pg_catalog.pg_roles AS r ON o.grantee = r.oid
LEFT JOIN hk_lent AS l ON o.grantee = l.oid
WHERE o.grantee <> o.owner AND o.grantee IN (SELECT h.oid FROM hk_reach AS h)
GROUP BY o.object, o.kind, r.rolname, l.fix
UNION ALL
SELECT
    e.role_object,
    pg_catalog.format('%s may let others into it', e.member_object),
    '',
    '',
    '',
    'REVOKE ADMIN OPTION FOR ' || pg_catalog.substr(e.revoke, 8)
FROM hk_edge AS e
WHERE e.admins AND e.member IN (SELECT h.oid FROM hk_reach AS h)
