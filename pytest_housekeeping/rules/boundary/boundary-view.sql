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
        pg_catalog.string_agg(DISTINCT h.role_object, ', ' ORDER BY h.role_object),
        pg_catalog.string_agg(DISTINCT o.shown, ', ' ORDER BY o.shown)
    ) AS detail,
    pg_catalog.string_agg(DISTINCT e.object, ', ' ORDER BY e.object) AS grantees
FROM view_over AS o
INNER JOIN pg_catalog.pg_class AS c ON o.oid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN hk_source_reach AS h
    ON
        pg_catalog.has_table_privilege(h.oid, c.oid, 'SELECT')
        OR pg_catalog.has_any_column_privilege(h.oid, c.oid, 'SELECT')
INNER JOIN hk_grantee AS e ON h.oid = e.oid OR e.oid = 0
WHERE
    c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS s
        WHERE s.option_name = 'security_invoker' AND s.option_value::boolean
    )
GROUP BY n.nspname, c.relname
