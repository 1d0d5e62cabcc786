"""The search_path in which a role's bare names are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import in_quotes

_DEFAULT = '"$user", public'


def search_path(connection: Connection, role: str) -> tuple[str, ...]:
    """The schemas in which ``role`` finds bare names: its own setting, and where it has USAGE.

    A setting of the role in this database comes before one of the role, and that before one of the
    database: https://www.postgresql.org/docs/16/catalog-pg-db-role-setting.html
    """
    row = connection.execute(_SETTING, {"role": role}).fetchone()
    wanted = split_path(row[0] if row and row[0] is not None else _DEFAULT)
    named = [role if part == "$user" else part for part in wanted]
    found = connection.execute(_USABLE, {"role": role, "schemas": named})
    return tuple(each[0] for each in found)


def set_search_path(connection: Connection, path: Sequence[str]) -> None:
    """Set it until the transaction or savepoint ends."""
    connection.execute(
        sql.SQL("SELECT pg_catalog.set_config('search_path', {}, true)").format(
            sql.Literal(", ".join(in_quotes(each) for each in path))
        )
    )


def split_path(value: str) -> tuple[str, ...]:
    """The schemas of a search_path as it is stored."""
    parts: Iterable[str] = (part.strip() for part in value.split(","))
    return tuple(part.strip('"').replace('""', '"') for part in parts if part.strip('"'))


_SETTING = """
SELECT pg_catalog.substr(c.setting, 13)
FROM pg_catalog.pg_db_role_setting AS s
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
WHERE c.setting LIKE 'search_path=%%'
    AND (s.setrole = 0 OR r.rolname = %(role)s)
    AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
ORDER BY s.setrole = 0, s.setdatabase = 0
LIMIT 1
"""
_USABLE = """
SELECT n.nspname
FROM pg_catalog.unnest(%(schemas)s::text[]) WITH ORDINALITY AS w (name, position)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.name
WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = %(role)s
    AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'))
ORDER BY w.position
"""
