-- title: The source can become a role of the target
-- level: error
-- why: a member has the rights of its role, by inheritance or by SET ROLE. That counts for the
--   target's own roles, for the owners of its objects, and for the roles that may do anything.
--   https://www.postgresql.org/docs/16/role-membership.html
-- fix: REVOKE {via} FROM {object};
-- leak: SELECT roleid::pg_catalog.regrole, member::pg_catalog.regrole
--   FROM pg_catalog.pg_auth_members;
-- examines: hk_target_relation
-- tripwire: CREATE ROLE {tripwire_role};
--   GRANT CREATE ON SCHEMA {target_schema} TO {tripwire_role};
--   GRANT {tripwire_role} TO {migrator};
--   CREATE TABLE {target_schema}.hk_tripwire (id integer);
--   ALTER TABLE {target_schema}.hk_tripwire OWNER TO {tripwire_role};
--   GRANT {tripwire_role} TO {source_role};
-- tripwire-object: {source_role}
-- good: CREATE ROLE {good_role};
--   GRANT {good_role} TO {source_role};
SELECT
    h.role_object AS object,
    CASE
        WHEN r.rolsuper THEN pg_catalog.format('%s a superuser', x.relation)
        WHEN r.rolbypassrls THEN pg_catalog.format('%s BYPASSRLS', x.relation)
        WHEN x.target_role THEN pg_catalog.format('%s a role of the target', x.relation)
        WHEN x.owned > 0
            THEN pg_catalog.format('%s the owner of %s objects of the target', x.relation, x.owned)
        ELSE pg_catalog.format('%s a predefined role that reads or writes everywhere', x.relation)
    END AS detail,
    pg_catalog.format('%I', r.rolname) AS via,
    CASE
        WHEN h.oid = h.role
            THEN pg_catalog.format('ALTER ROLE %s NOSUPERUSER NOBYPASSRLS;', h.role_object)
        ELSE (
            SELECT pg_catalog.string_agg(e.revoke, ' ' ORDER BY e.revoke)
            FROM hk_edge AS e
            INNER JOIN hk_source_reach AS m ON e.member = m.oid
            WHERE m.role = h.role AND e.roleid = h.oid
        )
    END AS fix
FROM hk_source_reach AS h
INNER JOIN pg_catalog.pg_roles AS r ON h.oid = r.oid
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN h.oid = h.role THEN 'it is'
            ELSE pg_catalog.format('it is a member of %I,', r.rolname)
        END AS relation,
        h.oid <> h.role AND h.oid IN (SELECT t.oid FROM hk_target_role AS t) AS target_role,
        CASE
            WHEN h.oid <> h.role
                THEN (
                    SELECT pg_catalog.count(DISTINCT o.object) FROM hk_target_owner AS o
                    WHERE o.oid = h.oid
                )
            ELSE 0
        END AS owned
) AS x
WHERE
    r.rolsuper
    OR r.rolbypassrls
    OR x.target_role
    OR x.owned > 0
    OR r.rolname IN (
        'pg_read_all_data', 'pg_write_all_data', 'pg_maintain', 'pg_execute_server_program',
        'pg_read_server_files', 'pg_write_server_files'
    )
