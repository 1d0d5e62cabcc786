"""The protected tables as a proof needs them: columns, policies, and what each role may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Rights:
    """What one untrusted role may do with one table.

    ``policy`` tells whether a permissive policy lets it read anything; ``owner``, whether it has
    the owner's rights, which no policy binds unless it is forced; ``exempt``, whether no policy
    binds it at all.
    """

    role: str
    select: bool
    select_some: bool
    insert: frozenset[str]
    update: frozenset[str]
    delete: bool
    policy: bool
    owner: bool
    exempt: bool

    @property
    def any(self) -> bool:
        return bool(self.select or self.select_some or self.insert or self.update or self.delete)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column; ``filled`` when it has a value without being given one."""

    name: str
    quoted: str
    type: str
    type_schema: str
    writable: bool
    updatable: bool
    filled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy as PostgreSQL prints it, and the untrusted roles that it counts for."""

    name: str
    command: str
    permissive: bool
    using: str
    check: str
    roles: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One protected table. ``owned`` tells whether the migrator has its owner's rights; ``bare``
    is what lets it read the table past the policies."""

    schema: str
    name: str
    object: str
    row_security: bool
    forced: bool
    owned: bool
    bare: str
    policies: tuple[Policy, ...]
    columns: tuple[Column, ...]
    expressions: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    rights: tuple[Rights, ...]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def read_subjects(connection: Connection, scope: RuleScope) -> tuple[Subject, ...]:
    """Every table in scope, in one query, by name."""
    row = run_readonly(connection, scoped_query(connection, scope, _QUERY))
    return tuple(_subject(item) for item in row[0])


def read_touched(connection: Connection) -> frozenset[str]:
    """The tables that this transaction has locked against everybody already."""
    row = run_readonly(
        connection,
        b"SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.format('%I.%I', n.nspname, c.relname)),"
        b" '[]') FROM pg_catalog.pg_locks AS l"
        b" INNER JOIN pg_catalog.pg_class AS c ON l.relation = c.oid"
        b" INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid"
        b" WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted"
        b" AND l.mode = 'AccessExclusiveLock' AND l.database = ("
        b"SELECT d.oid FROM pg_catalog.pg_database AS d"
        b" WHERE d.datname = pg_catalog.current_database())",
    )
    return frozenset(row[0])


def _subject(item: Mapping[str, Any]) -> Subject:
    exempt = item["bypass"] or not item["forced"] or not item["owned"]
    return Subject(
        schema=item["schema"],
        name=item["name"],
        object=item["object"],
        row_security=item["row_security"],
        forced=item["forced"],
        owned=item["owned"],
        bare="" if exempt else f"ALTER TABLE {item['object']} NO FORCE ROW LEVEL SECURITY;",
        policies=tuple(
            Policy(**{**policy, "roles": frozenset(policy["roles"])}) for policy in item["policies"]
        ),
        columns=tuple(Column(**column) for column in item["columns"]),
        expressions=tuple(item["expressions"]),
        keys=tuple(tuple(key) for key in item["keys"]),
        rights=tuple(
            Rights(
                **{
                    **rights,
                    "insert": frozenset(rights["insert"]),
                    "update": frozenset(rights["update"]),
                }
            )
            for rights in item["rights"]
        ),
    )


_QUERY = """
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
    'schema', t.schema,
    'name', t.name,
    'object', t.object,
    'row_security', t.row_security,
    'forced', t.row_security AND t.forced,
    'owned', pg_catalog.pg_has_role(t.owner, 'USAGE'),
    'bypass', (
        SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = current_user
    ),
    'columns', (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
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
            'filled', a.atthasdef OR a.attidentity <> ''
        ) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ),
    'policies', (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'name', p.name,
            'command', p.command,
            'permissive', p.permissive,
            'using', coalesce(p.using_expression, ''),
            'check', coalesce(p.check_expression, ''),
            'roles', (
                SELECT coalesce(pg_catalog.jsonb_agg(r.name), '[]')
                FROM hk_role AS r
                WHERE EXISTS (
                    SELECT FROM pg_catalog.unnest(p.roles) AS o (oid)
                    WHERE o.oid = 0 OR pg_catalog.pg_has_role(r.oid, o.oid, 'USAGE')
                )
            )
        ) ORDER BY p.name COLLATE "C"), '[]')
        FROM hk_policy AS p
        WHERE p.table_oid = t.oid
    ),
    'expressions', (
        SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT e.text) FILTER (WHERE e.text <> ''), '[]')
        FROM hk_policy AS p
        CROSS JOIN LATERAL (VALUES (p.using_expression), (p.check_expression)) AS e (text)
        WHERE p.table_oid = t.oid
    ),
    'keys', (
        SELECT coalesce(pg_catalog.jsonb_agg((
            SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey::smallint[])
        ) ORDER BY i.indexrelid), '[]')
        FROM pg_catalog.pg_index AS i
        WHERE
            i.indrelid = t.oid
            AND i.indisunique
            AND i.indimmediate
            AND i.indpred IS NULL
            AND i.indexprs IS NULL
            AND i.indnkeyatts = i.indnatts
    ),
    'rights', (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'role', r.name,
            'select', pg_catalog.has_table_privilege(r.oid, t.oid, 'SELECT'),
            'select_some', pg_catalog.has_any_column_privilege(r.oid, t.oid, 'SELECT'),
            'insert', CASE
                WHEN pg_catalog.has_any_column_privilege(r.oid, t.oid, 'INSERT') THEN (
                    SELECT coalesce(pg_catalog.jsonb_agg(a.attname), '[]')
                    FROM pg_catalog.pg_attribute AS a
                    WHERE
                        a.attrelid = t.oid
                        AND a.attnum > 0
                        AND NOT a.attisdropped
                        AND pg_catalog.has_column_privilege(r.oid, t.oid, a.attnum, 'INSERT')
                )
                ELSE '[]'
            END,
            'update', CASE
                WHEN pg_catalog.has_any_column_privilege(r.oid, t.oid, 'UPDATE') THEN (
                    SELECT coalesce(pg_catalog.jsonb_agg(a.attname), '[]')
                    FROM pg_catalog.pg_attribute AS a
                    WHERE
                        a.attrelid = t.oid
                        AND a.attnum > 0
                        AND NOT a.attisdropped
                        AND pg_catalog.has_column_privilege(r.oid, t.oid, a.attnum, 'UPDATE')
                )
                ELSE '[]'
            END,
            'delete', pg_catalog.has_table_privilege(r.oid, t.oid, 'DELETE'),
            'policy', EXISTS (
                SELECT FROM hk_policy AS p
                INNER JOIN hk_policy_role AS a ON p.oid = a.policy_oid
                WHERE
                    p.table_oid = t.oid
                    AND a.role = r.oid
                    AND p.permissive
                    AND p.command IN ('*', 'r')
            ),
            'owner', pg_catalog.pg_has_role(r.oid, t.owner, 'USAGE'),
            'exempt', (
                SELECT x.rolsuper OR x.rolbypassrls FROM pg_catalog.pg_roles AS x
                WHERE x.oid = r.oid
            )
        ) ORDER BY r.name COLLATE "C"), '[]')
        FROM hk_role AS r
    )
) ORDER BY t.object COLLATE "C"), '[]')
FROM hk_table AS t
"""
