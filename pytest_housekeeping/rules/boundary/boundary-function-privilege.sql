-- title: The source may call a function of the target
-- level: error
-- why: a function is a door of its own: SECURITY DEFINER opens all that its owner may do.
--   EXECUTE belongs to PUBLIC by default, so USAGE on the schema is enough.
--   https://www.postgresql.org/docs/16/ddl-priv.html
-- fix: {given}REVOKE ALL ON ROUTINE {object} FROM {grantee};
-- leak: SELECT pg_catalog.has_function_privilege($hk${role}$hk$, $hk${object}$hk$, 'EXECUTE');
-- examines: hk_target_relation
-- tripwire: CREATE FUNCTION {target_schema}.hk_tripwire() RETURNS integer
--   LANGUAGE sql AS 'SELECT 1';
--   GRANT EXECUTE ON FUNCTION {target_schema}.hk_tripwire() TO {source_role};
-- tripwire-object: {target_schema}.hk_tripwire()
-- good: CREATE FUNCTION {target_schema}.hk_good() RETURNS integer
--   LANGUAGE sql AS 'SELECT 1';
--   REVOKE ALL ON FUNCTION {target_schema}.hk_good() FROM PUBLIC;
SELECT
    f.object,
    pg_catalog.format('%s may execute it', e.object) AS detail,
    e.object AS grantee,
    l.fix,
    -- What PUBLIC may execute is reached by whoever may enter the schema.
    CASE
        WHEN g.grantee <> 0 THEN l.because
        ELSE 'boundary-schema-privilege ' || pg_catalog.quote_ident(f.schema)
    END AS because,
    -- Whoever the function is for may have had it from PUBLIC alone.
    CASE
        WHEN g.grantee = 0
            THEN coalesce((
                SELECT pg_catalog.format(
                    'GRANT EXECUTE ON ROUTINE %s TO %s; ',
                    f.object,
                    pg_catalog.string_agg(t.object, ', ' ORDER BY t.object)
                )
                FROM hk_target_role AS t
                WHERE t.oid NOT IN (SELECT s.oid FROM hk_source_role AS s)
                HAVING pg_catalog.count(*) > 0
            ), '')
        ELSE ''
    END AS given,
    coalesce(l.role, nullif(e.object, 'PUBLIC')) AS role
FROM hk_target_function AS f
CROSS JOIN LATERAL pg_catalog.aclexplode(
    coalesce(f.acl, pg_catalog.acldefault('f', f.owner))
) AS g
INNER JOIN hk_grantee AS e ON g.grantee = e.oid
LEFT JOIN hk_source_lent AS l ON g.grantee = l.oid
WHERE
    g.grantee <> f.owner
    AND (
        g.grantee <> 0
        OR EXISTS (
            SELECT FROM hk_source_reach AS h
            WHERE pg_catalog.has_schema_privilege(h.oid, f.schema_oid, 'USAGE')
        )
    )
