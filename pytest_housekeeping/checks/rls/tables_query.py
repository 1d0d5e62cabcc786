"""The query behind ``read_tables``: the tables in scope, and what each role may do with them."""

from __future__ import annotations

# Asking whether any column is granted first spares most tables the question about each of them.
_GRANTED_COLUMNS = """CASE
                WHEN pg_catalog.has_any_column_privilege(r.oid, t.oid, '{privilege}') THEN (
                    SELECT coalesce(pg_catalog.json_agg(a.attname), '[]')
                    FROM pg_catalog.pg_attribute AS a
                    WHERE
                        a.attrelid = t.oid
                        AND a.attnum > 0
                        AND NOT a.attisdropped
                        AND pg_catalog.has_column_privilege(r.oid, t.oid, a.attnum, '{privilege}')
                )
                ELSE '[]'
            END"""

# The policies of each table, read once for all tables: a look at every policy for each table would
# grow with the square.
POLICIES = """hk_table_policies AS (
    SELECT
        p.table_oid,
        pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', p.name,
            'object', p.object,
            'command', p.command,
            'permissive', p.permissive,
            'using', coalesce(p.using_expression, ''),
            'check', coalesce(p.check_expression, ''),
            'roles', (
                SELECT coalesce(pg_catalog.json_agg(r.name), '[]')
                FROM hk_declared_role AS r
                WHERE EXISTS (
                    SELECT FROM pg_catalog.unnest(p.roles) AS o (oid)
                    WHERE o.oid = 0 OR pg_catalog.pg_has_role(r.oid, o.oid, 'USAGE')
                )
            )
        ) ORDER BY p.name COLLATE "C") AS policies
    FROM hk_policy AS p
    GROUP BY p.table_oid
),
hk_read_policy AS (
    SELECT DISTINCT p.table_oid, a.role
    FROM hk_policy_fact AS p
    INNER JOIN hk_policy_role AS a ON p.oid = a.policy_oid
    WHERE p.permissive AND p.command IN ('*', 'r')
)"""

TABLES = f"""
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'schema', t.schema,
    'name', t.name,
    'object', t.object,
    'row_security', t.row_security,
    'forced', t.row_security AND t.forced,
    'owned', pg_catalog.pg_has_role(t.owner, 'USAGE'),
    'migrator_exempt', (
        SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = current_user
    ),
    'columns', (
        SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', a.attname,
            'quoted', pg_catalog.format('%I', a.attname),
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
            'type_schema', (
                SELECT n.nspname FROM pg_catalog.pg_type AS y
                INNER JOIN pg_catalog.pg_namespace AS n ON y.typnamespace = n.oid
                WHERE y.oid = a.atttypid
            ),
            'writable', a.attgenerated = '',
            'updatable', a.attgenerated = '' AND a.attidentity <> 'a',
            'has_default', a.atthasdef OR a.attidentity <> '',
            'required', a.attnotnull,
            'collation', a.attcollation::pg_catalog.regcollation,
            'exact', (
                a.attcollation IN (0, 'pg_catalog."default"'::pg_catalog.regcollation)
                OR (
                    SELECT l.collisdeterministic FROM pg_catalog.pg_collation AS l
                    WHERE l.oid = a.attcollation
                )
            )
            AND a.atttypid IN (
                'pg_catalog.text'::pg_catalog.regtype,
                'pg_catalog.varchar'::pg_catalog.regtype,
                'pg_catalog.uuid'::pg_catalog.regtype,
                'pg_catalog.int2'::pg_catalog.regtype,
                'pg_catalog.int4'::pg_catalog.regtype,
                'pg_catalog.int8'::pg_catalog.regtype,
                'pg_catalog.date'::pg_catalog.regtype
            )
        ) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ),
    'plain', t.oid IN (
        SELECT c.oid FROM pg_catalog.pg_class AS c
        WHERE c.relkind = 'r' AND NOT c.relispartition
    )
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal
    )
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class = t.oid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = t.oid),
    'policies', coalesce(o.policies, '[]'),
    'public', coalesce(u.rows, ''),
    'keys', (
        SELECT coalesce(pg_catalog.json_agg((
            SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey::smallint[])
        ) ORDER BY i.indexrelid), '[]')
        FROM pg_catalog.pg_index AS i
        WHERE
            i.indrelid = t.oid
            AND i.indisunique
            AND NOT i.indisexclusion
            AND i.indimmediate
            AND i.indpred IS NULL
            AND i.indexprs IS NULL
            AND i.indnkeyatts = i.indnatts
    ),
    'privileges', (
        SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'role', r.name,
            'select', pg_catalog.has_table_privilege(r.oid, t.oid, 'SELECT'),
            'select_some', pg_catalog.has_any_column_privilege(r.oid, t.oid, 'SELECT'),
            'insert', {_GRANTED_COLUMNS.format(privilege="INSERT")},
            'update', {_GRANTED_COLUMNS.format(privilege="UPDATE")},
            'delete', pg_catalog.has_table_privilege(r.oid, t.oid, 'DELETE'),
            'read_policy', (t.oid, r.oid) IN (
                SELECT p.table_oid, p.role FROM hk_read_policy AS p
            ),
            'owner', pg_catalog.pg_has_role(r.oid, t.owner, 'USAGE'),
            'exempt', (
                SELECT x.rolsuper OR x.rolbypassrls FROM pg_catalog.pg_roles AS x
                WHERE x.oid = r.oid
            )
        ) ORDER BY r.name COLLATE "C"), '[]')
        FROM hk_declared_role AS r
    )
) ORDER BY t.object COLLATE "C"), '[]')
FROM hk_table AS t
LEFT JOIN hk_table_policies AS o ON t.oid = o.table_oid
LEFT JOIN hk_public AS u ON t.oid = u.table_oid
"""
