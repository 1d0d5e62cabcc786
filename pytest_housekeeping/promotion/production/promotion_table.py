"""What production remembers of its promotions: run, commit, plan, and the fingerprint it left."""

from __future__ import annotations

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, from_json, to_json

_TABLE = sql.SQL(
    """
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.promotion (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run text NOT NULL,
        source_commit text NOT NULL,
        plan_digest text NOT NULL,
        segment integer NOT NULL,
        segments integer NOT NULL,
        fingerprint text NOT NULL,
        objects text NOT NULL,
        promoted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
        promoted_by text NOT NULL DEFAULT current_user
    )
    """
)
_INSERT = sql.SQL(
    "INSERT INTO {schema}.promotion"
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
    name = sql.Identifier(schema)
    connection.execute(_TABLE.format(schema=name))
    connection.execute(
        _INSERT.format(
            schema=name,
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
    row = connection.execute(
        "SELECT pg_catalog.to_regclass(pg_catalog.quote_ident(%s) || '.promotion')", (schema,)
    ).fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute(
        sql.SQL("SELECT objects FROM {}.promotion ORDER BY id DESC LIMIT 1").format(
            sql.Identifier(schema)
        )
    ).fetchone()
    return from_json(found[0]) if found else None
