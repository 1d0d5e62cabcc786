"""Several statements in one round trip, and what the server answers to each of them.

The simple protocol takes statements as one text and stops at the first that is refused:
https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-SIMPLE-QUERY
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from pytest_housekeeping.errors import ProofFailed, SqlFailed
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.sql.parse import parse

_WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY")


class Sending(Protocol):
    """How a file is sent, with statements before and behind it: ``send``, or what does more."""

    def __call__(
        self,
        connection: LentConnection,
        path: str,
        text: str,
        *,
        before: Sequence[str] = (),
        after: str,
    ) -> list[PGresult]: ...


def exchanged(connection: LentConnection, text: bytes) -> list[PGresult]:
    """The result of each statement of a text, up to the first that is refused, in one round trip.

    Raises psycopg.OperationalError when the connection is lost meanwhile.
    """
    with connection.lock:
        connection.pgconn.send_query(text)
        results: list[PGresult] = connection.wait(generators.execute(connection.pgconn))
    return results


def send(
    connection: LentConnection, path: str, text: str, *, before: Sequence[str] = (), after: str
) -> list[PGresult]:
    """The results of the statements ``before``, of the file and of ``after``.

    Raises SqlFailed with file, line and column when a statement is refused, or the connection is
    lost meanwhile.
    """
    ahead = "".join(f"{statement}; " for statement in before)
    try:
        results = exchanged(connection, f"{ahead}{text}\n;{after}".encode())
    except psycopg.OperationalError as error:
        raise explain(path, text, error) from None
    if results[-1].status == ExecStatus.FATAL_ERROR:
        raise _refused(path, text, results, len(before), len(ahead))
    return results


def rows_written(results: Sequence[PGresult]) -> int:
    """How many rows all statements together have written."""
    return sum(
        result.command_tuples or 0
        for result in results
        if (result.command_status or b"").startswith(_WRITES)
    )


def last_row(results: Sequence[PGresult]) -> list[str]:
    """The one row of the last query, as texts, NULL as ""; ProofFailed where it gave none."""
    last = next((each for each in reversed(results) if each.status == ExecStatus.TUPLES_OK), None)
    if last is None or last.ntuples != 1:
        raise ProofFailed("the state after the file is unknown", why="nothing was proved by it")
    return [(last.get_value(0, i) or b"").decode() for i in range(last.nfields)]


def _refused(
    path: str, text: str, results: Sequence[PGresult], before: int, shift: int
) -> SqlFailed:
    """PostgreSQL says where only for some errors; how many statements it did says it for all."""
    error = psycopg.errors.error_from_result(results[-1])
    done = len(results) - 1 - before
    statements = parse(text)
    offset = statements[done].offset if done < len(statements) else None
    return explain(path, text, error, shift, statement=offset)
