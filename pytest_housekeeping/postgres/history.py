"""What a database has applied and taken back: one row per file, in the transaction of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.model import Applied, Kind
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import is_there, make_table, table_name
from pytest_housekeeping.sql.file import SqlFile

_TABLE = "history"
_COLUMNS: LiteralString = """
    run text NOT NULL,
    source_commit text NOT NULL,
    kind text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    statements integer NOT NULL,
    duration_s double precision NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    applied_by text NOT NULL DEFAULT current_user
"""
_INSERT = sql.SQL(
    "INSERT INTO {table} (run, source_commit, kind, path, sha256, statements, duration_s)"
    " SELECT {run}, batch.* FROM ROWS FROM (unnest({commits}::text[]),"
    "unnest({kinds}::text[]), unnest({paths}::text[]), unnest({digests}::text[]),"
    " unnest({statements}::integer[]), unnest({durations}::double precision[])) AS batch"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One file as the database remembers it; of kind ``rollback``, that it was taken back."""

    run: str
    path: str
    kind: str
    sha256: str
    commit: str
    statements: int = 0
    duration_s: float = 0.0


def row_of(file: SqlFile, applied: Applied, *, run: str, commit: str) -> Row:
    """What is remembered of a file that was applied."""
    return Row(
        run=run,
        path=file.path,
        kind=str(file.kind),
        sha256=file.sha256,
        commit=commit,
        statements=applied.statements,
        duration_s=applied.duration_s,
    )


def record(connection: Connection, schema: str, rows: Sequence[Row]) -> None:
    """Write the rows of one run, all of them in one round trip, in the open transaction."""
    if not rows:
        return
    connection.execute(
        _INSERT.format(
            table=make_table(connection, schema, _TABLE, _COLUMNS),
            run=sql.Literal(rows[0].run),
            commits=sql.Literal([row.commit for row in rows]),
            kinds=sql.Literal([row.kind for row in rows]),
            paths=sql.Literal([row.path for row in rows]),
            digests=sql.Literal([row.sha256 for row in rows]),
            statements=sql.Literal([row.statements for row in rows]),
            durations=sql.Literal([row.duration_s for row in rows]),
        )
    )


def recorded(connection: Connection, schema: str) -> tuple[Row, ...]:
    """All that was ever applied and taken back, in that order; none without a table."""
    if not is_there(connection, schema, _TABLE):
        return ()
    rows = connection.execute(
        sql.SQL(
            "SELECT run, path, kind, sha256, source_commit, statements, duration_s"
            " FROM {} ORDER BY id"
        ).format(table_name(schema, _TABLE))
    ).fetchall()
    return tuple(
        Row(
            run=run,
            path=path,
            kind=kind,
            sha256=digest,
            commit=commit,
            statements=statements,
            duration_s=duration,
        )
        for run, path, kind, digest, commit, statements, duration in rows
    )


def in_effect(rows: Sequence[Row]) -> tuple[Row, ...]:
    """What stands. A row of kind ``rollback`` takes back the newest that stands of its path: of a
    file that was applied again and again, the one before it is in effect then."""
    standing: list[Row] = []
    for row in rows:
        if row.kind != Kind.ROLLBACK:
            standing.append(row)
            continue
        for place in range(len(standing) - 1, -1, -1):
            if standing[place].path == row.path:
                del standing[place]
                break
    return tuple(standing)


def applied(connection: Connection, schema: str) -> tuple[Row, ...]:
    """The files that stand, in the order of application."""
    return in_effect(recorded(connection, schema))
