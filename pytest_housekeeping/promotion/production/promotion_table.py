"""What production remembers of its promotions: run, commit, plan, and the fingerprint it left."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import is_there, make_table, table_name
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, from_json, to_json

_TABLE = "promotion"
_COLUMNS: LiteralString = """
    run text NOT NULL,
    source_commit text NOT NULL,
    plan_digest text NOT NULL,
    segment integer NOT NULL,
    segments integer NOT NULL,
    fingerprint text NOT NULL,
    objects text NOT NULL,
    promoted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    promoted_by text NOT NULL DEFAULT current_user
"""
_INSERT = sql.SQL(
    "INSERT INTO {table}"
    " (run, source_commit, plan_digest, segment, segments, fingerprint, objects)"
    " VALUES ({run}, {commit}, {digest}, {segment}, {segments}, {fingerprint}, {objects})"
)


def record(
    connection: Connection,
    schema: str,
    *,
    run: str,
    commit: str,
    digest: str,
    segment: int,
    segments: int,
    fingerprint: Fingerprint,
) -> None:
    """Write the row of a promotion in its own transaction: it is there exactly if that is."""
    connection.execute(
        _INSERT.format(
            table=make_table(connection, schema, _TABLE, _COLUMNS),
            run=sql.Literal(run),
            commit=sql.Literal(commit),
            digest=sql.Literal(digest),
            segment=sql.Literal(segment),
            segments=sql.Literal(segments),
            fingerprint=sql.Literal(fingerprint.digest),
            objects=sql.Literal(to_json(fingerprint)),
        )
    )


def last_fingerprint(connection: Connection, schema: str) -> Fingerprint | None:
    """The schema as the last promotion left it; None before the first."""
    if not is_there(connection, schema, _TABLE):
        return None
    found = connection.execute(
        sql.SQL("SELECT objects FROM {} ORDER BY id DESC LIMIT 1").format(
            table_name(schema, _TABLE)
        )
    ).fetchone()
    return from_json(found[0]) if found else None
