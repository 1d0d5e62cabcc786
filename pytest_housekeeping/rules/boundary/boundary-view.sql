-- title: A view shows the source what the target holds
-- level: error
-- why: a view without security_invoker reads with the rights of its owner, and a materialized view
--   keeps a copy: whoever may select from it reads the target without one privilege on it,
--   through any number of views between.
--   https://www.postgresql.org/docs/16/sql-createview.html
-- fix: REVOKE ALL ON {object} FROM {grantees};
-- leak: BEGIN; SET LOCAL ROLE {role};
--   SELECT * FROM {object} LIMIT 5;
--   ROLLBACK;
-- examines: hk_target_relation
-- tripwire: CREATE VIEW {source_schema}.hk_tripwire_inner AS SELECT 1 AS one FROM {target_relation};
--   CREATE VIEW {source_schema}.hk_tripwire AS SELECT one FROM {source_schema}.hk_tripwire_inner;
--   GRANT SELECT ON {source_schema}.hk_tripwire TO {source_role};
-- tripwire-object: {source_schema}.hk_tripwire
-- good: CREATE VIEW {source_schema}.hk_good WITH (security_invoker = true)
--   AS SELECT 1 AS one;
--   GRANT SELECT ON {source_schema}.hk_good TO {source_role};
WITH RECURSIVE view_over (oid, shown) AS (
    SELECT r.view_oid, t.object
    FROM hk_view_reads AS r INNER JOIN hk_target_relation AS t ON r.relation_oid = t.oid
    UNION
    SELECT r.view_oid, o.shown
    FROM view_over AS o INNER JOIN hk_view_reads AS r ON o.oid = r.relation_oid
)

SELECT
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS object,
    pg_catalog.format(
        '%s may select from it and see %s, with the rights of its owner',
        pg_catalog.string_agg(DISTINCT coalesce(h.role_object, e.object), ', '),
        pg_catalog.string_agg(DISTINCT o.shown, ', ' ORDER BY o.shown)
    ) AS detail,
    pg_catalog.string_agg(DISTINCT e.object, ', ' ORDER BY e.object) AS grantees,
    CASE
        WHEN pg_catalog.bool_and(l.oid IS NOT NULL) THEN pg_catalog.min(l.fix)
    END AS fix,
    CASE
        WHEN pg_catalog.bool_and(l.oid IS NOT NULL) THEN pg_catalog.min(l.because)
    END AS because,
    pg_catalog.min(h.role_object) AS role
FROM view_over AS o
INNER JOIN pg_catalog.pg_class AS c ON o.oid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
CROSS JOIN LATERAL (
    SELECT t.grantee, t.privilege_type
    FROM pg_catalog.aclexplode(c.relacl) AS t
    UNION
    SELECT t.grantee, t.privilege_type
    FROM pg_catalog.pg_attribute AS a
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS t
    WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
) AS g
INNER JOIN hk_grantee AS e ON g.grantee = e.oid
LEFT JOIN hk_source_reach AS h ON g.grantee = h.oid
LEFT JOIN hk_source_lent AS l ON g.grantee = l.oid
WHERE
    g.privilege_type = 'SELECT'
    AND g.grantee <> c.relowner
    AND c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS s
        WHERE s.option_name = 'security_invoker' AND s.option_value::boolean
    )
GROUP BY n.nspname, c.relname
