"""What production remembers of its promotions: run, commit, plan, and the fingerprint it left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.chain import link, text_digest
from pytest_housekeeping.postgres.own_tables.guard import HistoryGuard
from pytest_housekeeping.postgres.own_tables.rows import last_chain, next_places
from pytest_housekeeping.postgres.own_tables.tables import has_columns
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord, from_record

_INSERT = sql.SQL(
    "INSERT INTO {table} (id, run, source_commit, plan_digest, segment, segments, fingerprint,"
    " objects, promoted_at, promoted_by, history_chain, chain) OVERRIDING SYSTEM VALUE VALUES"
    " ({id}, {run}, {commit}, {digest}, {segment}, {segments}, {fingerprint}, {objects},"
    " {at}::timestamptz, {by}, {history_chain}, {chain})"
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
    schema_record: SchemaRecord,
) -> None:
    """Write the row of a promotion in its own transaction: it is there exactly if that is.

    It closes over the history rows written before it, whose tables have been made by then. One
    that this very segment has written already is replaced.
    """
    connection.execute(
        sql.SQL("DELETE FROM ONLY {} WHERE run = {} AND segment = {}").format(
            sql.Identifier(schema, "promotion"), sql.Literal(run), sql.Literal(segment)
        )
    )
    (place,) = next_places(connection, schema, "promotion", 1)
    fingerprint, objects = schema_record.fingerprint, schema_record.packed
    head = last_chain(connection, schema, "history")
    # In the order in which the chain takes them down.
    row: dict[str, str | int] = {
        "id": place.id,
        "run": run,
        "commit": commit,
        "digest": digest,
        "segment": segment,
        "segments": segments,
        "fingerprint": fingerprint.digest,
        "objects": objects,
        "at": place.at,
        "by": place.by,
        "history_chain": head,
    }
    fields = [str(value) for value in {**row, "objects": text_digest(objects)}.values()]
    row["chain"] = link(last_chain(connection, schema, "promotion"), "promotion", fields)
    values = {name: sql.Literal(value) for name, value in row.items()}
    connection.execute(_INSERT.format(table=sql.Identifier(schema, "promotion"), **values))


def record_segment(
    context: RunContext,
    guard: HistoryGuard,
    connection: Connection,
    schema_record: SchemaRecord,
    segment: int,
) -> None:
    """The schema that a segment leaves, on record in the database itself."""
    write = partial(
        record,
        connection,
        context.config.history_schema,
        run=context.run.id,
        commit=context.source.commit or "",
        digest=context.plan.digest,
        segment=segment,
        segments=len(context.plan.segments),
        schema_record=schema_record,
    )
    guard.note(connection, write)


@dataclass(frozen=True, kw_only=True, slots=True)
class LastPromotion:
    """The run that changed the schema last, its commit, when and as which role."""

    run: str
    commit: str
    at: str
    by: str


def last_promotion(connection: Connection, schema: str) -> LastPromotion | None:
    """The last promotion, or rollback, on record; None before the first."""
    if not has_columns(connection, schema, "promotion"):
        return None
    found = connection.execute(
        sql.SQL(
            "SELECT run, source_commit, pg_catalog.to_char(promoted_at AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD HH24:MI:SS') || ' UTC', promoted_by"
            " FROM ONLY {}.promotion ORDER BY id DESC LIMIT 1"
        ).format(sql.Identifier(schema))
    ).fetchone()
    return LastPromotion(run=found[0], commit=found[1], at=found[2], by=found[3]) if found else None


def last_digest(connection: Connection, schema: str) -> str:
    """The digest of the schema as the last promotion left it; "" before the first."""
    if not has_columns(connection, schema, "promotion"):
        return ""
    found = connection.execute(
        sql.SQL("SELECT fingerprint FROM ONLY {}.promotion ORDER BY id DESC LIMIT 1").format(
            sql.Identifier(schema)
        )
    ).fetchone()
    return str(found[0]) if found else ""


def last_fingerprint(
    connection: Connection, schema: str, now: Fingerprint | None = None
) -> Fingerprint | None:
    """The schema as the last promotion left it, ``now`` itself where its digest is on record; None
    before the first."""
    if not has_columns(connection, schema, "promotion"):
        return None
    # What is on record takes longer to send and to read than to be told by its digest.
    known = now.digest if now is not None else ""
    found = connection.execute(
        sql.SQL(
            "SELECT CASE WHEN fingerprint IS DISTINCT FROM {} THEN objects END"
            " FROM ONLY {}.promotion ORDER BY id DESC LIMIT 1"
        ).format(sql.Literal(known), sql.Identifier(schema))
    ).fetchone()
    if found is None:
        return None
    return now if found[0] is None else from_record(found[0])
