"""COPY reads by a way of its own: it too must find no row when the session acts for nobody."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rls.findings import FindingCollector
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rls.tables import ProtectedTable, RolePrivileges
from pytest_housekeeping.checks.rules.attempts import INTERRUPTED, interrupted
from pytest_housekeeping.checks.rules.together import together
from pytest_housekeeping.declarations.identity import Claim
from pytest_housekeeping.postgres.acting import as_role
from pytest_housekeeping.postgres.connection import Connection


def judge_copies(
    connection: Connection,
    context: Sequence[Claim],
    collector: FindingCollector,
    pairs: Sequence[IdentityPair],
) -> None:
    """Collect what each role copies out of each table, acting for nobody."""
    asked = list(
        dict.fromkeys(
            (pair.table, pair.privileges)
            for pair in pairs
            # A table whose public rows are copied out is looked at by reading.
            if pair.privileges.select and not pair.table.public
        )
    )
    settings = list(dict.fromkeys(claim.setting for claim in context))
    answers = _copy_out(connection, settings, asked)
    for (table, privileges), answer in zip(asked, answers, strict=True):
        if answer:
            text = f"COPY while the context is '': {answer}"
            collector.add_evidence(table, privileges.role, text)
        else:
            text = f"{privileges.role} copies rows out while the context is ''"
            collector.add_leak(table, privileges.role, text)


def _copy_out(
    connection: Connection,
    context: Sequence[str],
    asked: Sequence[tuple[ProtectedTable, RolePrivileges]],
) -> list[str]:
    """For each: ``'no row'``, or the error that COPY met; ``''`` when it returned a row."""
    empty = dict.fromkeys(context, "")
    answers: dict[int, str] = {}
    # One savepoint for a role until an error ends it: see ``checks.rules.attempts``.
    waiting = deque(together([privileges.role for _, privileges in asked]))
    while waiting:
        role = asked[waiting[0][0]][1].role
        try:
            with as_role(connection, role, empty):
                connection.execute("SET LOCAL row_security = on")
                while waiting and asked[waiting[0][0]][1].role == role:
                    group = waiting[0]
                    returns = _returns_a_row(connection, [asked[number][0] for number in group])
                    waiting.popleft()
                    if returns and len(group) > 1:
                        waiting.extendleft([number] for number in reversed(group))
                    else:
                        answers |= dict.fromkeys(group, "" if returns else "no row")
        except psycopg.Error as error:
            if error.sqlstate in INTERRUPTED:
                words = error.diag.message_primary or str(error).strip()
                raise interrupted(role, f"{error.sqlstate} {words}") from None
            group = waiting.popleft()
            if len(group) == 1:
                answers[group[0]] = error.sqlstate or "an error"
            else:  # each by itself then, to know which one it is
                waiting.extendleft([number] for number in reversed(group))
    return [answers[number] for number in range(len(asked))]


def _returns_a_row(connection: Connection, tables: Sequence[ProtectedTable]) -> bool:
    # COPY of a query works for partitioned tables as well, COPY of the table does not:
    # https://www.postgresql.org/docs/16/sql-copy.html
    rows = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT true FROM (SELECT * FROM {} LIMIT 1) AS s").format(
            sql.Identifier(table.schema, table.name)
        )
        for table in tables
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(rows)) as copy,
    ):
        return len(list(copy)) > 0  # read to its end: the connection is not free before
