"""COPY is a way to read of its own: it too must find no row when the session acts for nobody."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rls.tables import Rights, Subject
from pytest_housekeeping.postgres.connection import Connection, as_role


def copy_out(
    connection: Connection,
    context: Sequence[str],
    asked: Sequence[tuple[Subject, Rights]],
) -> list[str]:
    """For each: ``'no row'`` or the error that COPY met; ``''`` when it gave a row away."""
    empty = dict.fromkeys(context, "")
    found = []
    for subject, rights in asked:
        try:
            with as_role(connection, rights.role, empty):
                connection.execute("SET LOCAL row_security = on")
                answer = "" if _gives_a_row(connection, subject) else "no row"
        except psycopg.Error as error:
            answer = error.sqlstate or "an error"
        found.append(answer)
    return found


def _gives_a_row(connection: Connection, subject: Subject) -> bool:
    """The form with a query works for partitioned tables as well."""
    table = sql.SQL("COPY (SELECT * FROM {} LIMIT 1) TO STDOUT").format(
        sql.Identifier(subject.schema, subject.name)
    )
    with connection.cursor() as cursor, cursor.copy(table) as copy:
        return len(list(copy)) > 0  # to its end: the connection is not free before
