"""COPY reads by a way of its own: it too must find no row when the session acts for nobody."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.postgres.connection import Connection, as_role


def copy_out(
    connection: Connection,
    context: Sequence[str],
    asked: Sequence[tuple[ProtectedTable, RolePrivileges]],
) -> list[str]:
    """For each: ``'no row'``, or the error that COPY met; ``''`` when it returned a row."""
    empty = dict.fromkeys(context, "")
    found = []
    for table, privileges in asked:
        try:
            with as_role(connection, privileges.role, empty):
                connection.execute("SET LOCAL row_security = on")
                answer = "" if _returns_a_row(connection, table) else "no row"
        except psycopg.Error as error:
            answer = error.sqlstate or "an error"
        found.append(answer)
    return found


def _returns_a_row(connection: Connection, table: ProtectedTable) -> bool:
    # COPY of a query works for partitioned tables as well, COPY of the table does not:
    # https://www.postgresql.org/docs/16/sql-copy.html
    statement = sql.SQL("COPY (SELECT * FROM {} LIMIT 1) TO STDOUT").format(
        sql.Identifier(table.schema, table.name)
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return len(list(copy)) > 0  # read to its end: the connection is not free before
