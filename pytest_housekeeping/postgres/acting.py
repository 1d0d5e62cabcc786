"""Acting as another role, inside what is always rolled back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection, rolled_back

# Whoever makes a role without being a superuser may grant it, and since PostgreSQL 16 not act as it
# before he has granted it to himself: https://www.postgresql.org/docs/16/role-attributes.html
# (role creation). Before 16 CREATEROLE alone may. In PL/pgSQL, of a role of which ``%role%`` is the
# name; nothing where the session may act as it, or may not grant it either.
GRANTED_TO_ITSELF = """
    IF pg_catalog.current_setting('transaction_read_only') = 'off' AND EXISTS (
        SELECT FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS me,
            pg_catalog.current_setting('server_version_num') AS v (number)
        WHERE r.rolname = %role% AND me.rolname = session_user
        AND NOT pg_catalog.pg_has_role(
            me.oid, r.oid, CASE WHEN v.number >= '160000' THEN 'SET' ELSE 'MEMBER' END
        )
        AND (
            pg_catalog.pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')
            OR v.number < '160000' AND me.rolcreaterole AND NOT r.rolsuper
        )
    ) THEN
        EXECUTE pg_catalog.format('GRANT %I TO %I', %role%, session_user) || CASE
            WHEN pg_catalog.current_setting('server_version_num') >= '160000'
            THEN ' WITH INHERIT FALSE, SET TRUE' ELSE '' END;
    END IF;
"""


@contextmanager
def as_role(
    connection: Connection, role: str, settings: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Act as ``role`` with the given settings, inside a savepoint that is always rolled back.

    Rolling back to the savepoint is what undoes SET LOCAL, also after an error:
    https://www.postgresql.org/docs/16/sql-set.html
    """
    with rolled_back(connection):
        statements = [
            sql.SQL("SELECT pg_catalog.set_config({}, {}, true)").format(
                sql.Literal(name), sql.Literal(value)
            )
            for name, value in (settings or {}).items()
        ]
        granted = GRANTED_TO_ITSELF.replace("%role%", sql.Literal(role).as_string(connection))
        statements += [
            sql.SQL("DO {}").format(f"BEGIN {granted} END"),
            sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)),
        ]
        connection.execute(sql.SQL("; ").join(statements))
        yield
