"""A file that no transaction can hold: run by itself, and finished where it was interrupted."""

from __future__ import annotations

import psycopg

from pytest_housekeeping.errors import LeftBehind, SqlFailed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.session_state import looked_for
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.promotion.transaction.interrupted import FINISHED, not_cleared, resume
from pytest_housekeeping.sql.file import SqlFile

_INVALID = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid ORDER BY 1
"""


def apply(
    connection: Connection, file: SqlFile, text: str, *, fresh: bool = False
) -> tuple[str, ...]:
    """Run the file in autocommit, and say what an earlier, interrupted run had left to do.

    What is done half or not recorded by an interrupted run is cleared away first, or recognised
    (see interrupted.py); not in a ``fresh`` database, where no run was: a statement that finds its
    work done there is wrong.

    Raises LeftBehind when an invalid index stands afterwards, or nobody can say because the
    connection is lost, and SqlFailed when PostgreSQL refuses the statement and nothing stands.
    """
    before = _invalid(connection)
    try:
        said = "" if fresh else resume(connection, text)
        if not said.endswith(FINISHED):
            with looked_for(connection):
                connection.execute(text.encode())
    except psycopg.Error as error:
        raise _failed(connection, explain(file.path, text, error), before, text) from None
    broken = _invalid(connection) - before
    if broken:
        raise LeftBehind(
            f"{file.path} left invalid: {', '.join(sorted(broken))}",
            why="an invalid index is kept up to date at every write and used by no query",
            fix=_again("run again", text, broken),
        )
    return (said,) if said else ()


def _failed(connection: Connection, failed: SqlFailed, before: set[str], text: str) -> SqlFailed:
    """The refusal, with what stands of it: a build that was begun is not undone by failing."""
    left: set[str] = set()
    if connection.closed:
        why = "the connection was lost: an invalid index may stand"
    else:
        left = _invalid(connection) - before
        if not left:
            return failed
        why = f"it left {', '.join(sorted(left))} behind, invalid"
    fix = _again("correct the cause and run again", text, left)
    return LeftBehind(failed.found, why=why, fix=fix, sqlstate=failed.sqlstate)


def _again(fix: str, text: str, invalid: set[str]) -> str:
    """``fix``, with what is to be dropped by hand before."""
    by_hand = not_cleared(text, invalid)
    if not by_hand:
        return f"{fix}: what is invalid is dropped first"
    drops = " ".join(f"DROP INDEX CONCURRENTLY {index};" for index in by_hand)
    return f"{drops} then {fix}; an index that the file gives a name is dropped by the next run"


def _invalid(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute(_INVALID).fetchall()}
