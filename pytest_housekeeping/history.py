"""What a database has applied: one row per file, written in the transaction of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.database import Connection
from pytest_housekeeping.model import Applied
from pytest_housekeeping.sqlfile import SqlFile

_TABLE = sql.SQL(
    """
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.history (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run text NOT NULL,
        source_commit text NOT NULL,
        kind text NOT NULL,
        path text NOT NULL,
        sha256 text NOT NULL,
        statements integer NOT NULL,
        duration_s double precision NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
        applied_by text NOT NULL DEFAULT current_user
    )
    """
)
_INSERT = sql.SQL(
    "INSERT INTO {schema}.history (run, source_commit, kind, path, sha256, statements, duration_s)"
    " SELECT {run}, {commit}, batch.* FROM ROWS FROM ("
    "unnest({kinds}::text[]), unnest({paths}::text[]), unnest({digests}::text[]),"
    " unnest({statements}::integer[]), unnest({durations}::double precision[])) AS batch"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One file as the database remembers it."""

    path: str
    kind: str
    sha256: str
    commit: str


def record(
    connection: Connection,
    schema: str,
    *,
    run: str,
    commit: str,
    files: Sequence[tuple[SqlFile, Applied]],
) -> None:
    """Write one row per file, all of them in one round trip, in the open transaction."""
    if not files:
        return
    name = sql.Identifier(schema)
    connection.execute(_TABLE.format(schema=name))
    connection.execute(
        _INSERT.format(
            schema=name,
            run=sql.Literal(run),
            commit=sql.Literal(commit),
            kinds=sql.Literal([str(file.kind) for file, _ in files]),
            paths=sql.Literal([file.path for file, _ in files]),
            digests=sql.Literal([file.sha256 for file, _ in files]),
            statements=sql.Literal([applied.statements for _, applied in files]),
            durations=sql.Literal([applied.duration_s for _, applied in files]),
        )
    )


def applied(connection: Connection, schema: str) -> tuple[Row, ...]:
    """The files as they were applied last, in the order of application; none without a table."""
    row = connection.execute(
        "SELECT pg_catalog.to_regclass(pg_catalog.quote_ident(%s) || '.history')", (schema,)
    ).fetchone()
    if row is None or row[0] is None:
        return ()
    rows = connection.execute(
        sql.SQL("SELECT path, kind, sha256, source_commit FROM {}.history ORDER BY id").format(
            sql.Identifier(schema)
        )
    ).fetchall()
    return tuple(
        Row(path=path, kind=kind, sha256=digest, commit=commit)
        for path, kind, digest, commit in rows
    )
