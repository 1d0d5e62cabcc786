"""What a database has applied and taken back: one row per file, in the transaction of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.model import Applied, Kind
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.chain import float_field, link
from pytest_housekeeping.postgres.own_tables.rows import (
    Place,
    chain_old_rows,
    last_chain,
    next_places,
)
from pytest_housekeeping.postgres.own_tables.tables import has_columns, make_tables
from pytest_housekeeping.sql.file import SqlFile

_INSERT = sql.SQL(
    "INSERT INTO {table} (id, run, source_commit, kind, path, sha256, statements, duration_s,"
    " applied_at, applied_by, chain) OVERRIDING SYSTEM VALUE"
    " SELECT batch.id, {run}, batch.source_commit, batch.kind, batch.path, batch.sha256,"
    " batch.statements, batch.duration_s, batch.applied_at, batch.applied_by, batch.chain"
    " FROM unnest({ids}::bigint[], {commits}::text[], {kinds}::text[], {paths}::text[],"
    " {digests}::text[], {statements}::integer[], {durations}::double precision[],"
    " {times}::timestamptz[], {roles}::text[], {chains}::text[]) AS batch"
    " (id, source_commit, kind, path, sha256, statements, duration_s, applied_at, applied_by,"
    " chain)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One file as the database remembers it; of kind ``rollback``, that it was taken back.

    When (``at``) and as which role (``by``) the database itself writes down.
    """

    run: str
    path: str
    kind: str
    sha256: str
    commit: str
    statements: int = 0
    duration_s: float = 0.0
    at: str = ""
    by: str = ""


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


def record(
    connection: Connection, schema: str, rows: Sequence[Row], *, whole: bool = False
) -> None:
    """Write the rows of one run in the open transaction, each with its place in the chain.

    The tables are made, and closed to everybody else, where they are not there yet; those of an
    earlier version get the chain. Whoever knows that they are ``whole`` spares the look at them.
    """
    if not whole:
        if rows:
            make_tables(connection, schema)
        chain_old_rows(connection, schema)
    if not rows:
        return
    places = next_places(connection, schema, "history", len(rows))
    chains = []
    previous = last_chain(connection, schema, "history")
    for row, place in zip(rows, places, strict=True):
        previous = link(previous, "history", _fields(row, place))
        chains.append(previous)
    connection.execute(
        _INSERT.format(
            table=sql.Identifier(schema, "history"),
            run=sql.Literal(rows[0].run),
            ids=sql.Literal([place.id for place in places]),
            commits=sql.Literal([row.commit for row in rows]),
            kinds=sql.Literal([row.kind for row in rows]),
            paths=sql.Literal([row.path for row in rows]),
            digests=sql.Literal([row.sha256 for row in rows]),
            statements=sql.Literal([row.statements for row in rows]),
            durations=sql.Literal([row.duration_s for row in rows]),
            times=sql.Literal([place.at for place in places]),
            roles=sql.Literal([place.by for place in places]),
            chains=sql.Literal(chains),
        )
    )


def _fields(row: Row, place: Place) -> tuple[str, ...]:
    """The fields in the order of the table's columns, as the chain reads them."""
    return (
        str(place.id),
        row.run,
        row.commit,
        row.kind,
        row.path,
        row.sha256,
        str(row.statements),
        float_field(row.duration_s),
        place.at,
        place.by,
    )


def recorded(connection: Connection, schema: str) -> tuple[Row, ...]:
    """All that was ever applied and taken back, in that order; none without a table.

    None as well where something else bears its name: the precheck of the history says so.
    """
    if not has_columns(connection, schema, "history"):
        return ()
    rows = connection.execute(
        sql.SQL(
            "SELECT run, path, kind, sha256, source_commit, statements, duration_s,"
            " applied_at::text, applied_by"
            " FROM ONLY {}.history ORDER BY id"
        ).format(sql.Identifier(schema))
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
            at=at,
            by=by,
        )
        for run, path, kind, digest, commit, statements, duration, at, by in rows
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
