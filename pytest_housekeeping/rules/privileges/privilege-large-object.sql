-- title: A large object is open to an untrusted role
-- level: error
-- why: large objects stand outside every table and every policy, and their numbers are counted
--   up: an attacker who may read one by a grant to all reads the documents of every tenant.
--   https://www.postgresql.org/docs/16/lo-implementation.html
-- fix: {repair}
-- leak: SELECT oid, lomacl FROM pg_catalog.pg_largeobject_metadata;
-- examines: hk_any_table
-- tripwire: SELECT lo_create(4123456789);
--   GRANT SELECT ON LARGE OBJECT 4123456789 TO {role};
-- tripwire-object: LARGE OBJECT 4123456789
-- good: SELECT lo_create(4123456788);
SELECT
    pg_catalog.format('LARGE OBJECT %s', l.oid) AS object,
    CASE
        WHEN h.oid IS NOT NULL AND l.lomowner = h.oid
            THEN pg_catalog.format('its owner is %I', r.rolname)
        ELSE pg_catalog.format(
            '%s may %s',
            coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'),
            pg_catalog.string_agg(DISTINCT g.privilege_type, ', ')
        )
    END AS detail,
    CASE
        WHEN h.oid IS NOT NULL AND l.lomowner = h.oid
            THEN pg_catalog.format('ALTER LARGE OBJECT %s OWNER TO %I;', l.oid, current_user)
        ELSE pg_catalog.format(
            'REVOKE ALL ON LARGE OBJECT %s FROM %s;',
            l.oid,
            coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC')
        )
    END AS repair
FROM pg_catalog.pg_largeobject_metadata AS l
CROSS JOIN LATERAL pg_catalog.aclexplode(
    coalesce(l.lomacl, pg_catalog.acldefault('L', l.lomowner))
) AS g
LEFT JOIN (SELECT DISTINCT h.oid FROM hk_reach AS h) AS h ON g.grantee = h.oid
LEFT JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
WHERE g.grantee = 0 OR h.oid IS NOT NULL
GROUP BY l.oid, l.lomowner, h.oid, r.rolname
