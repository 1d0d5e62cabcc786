"""What both own tables need to be written to: places in the chain, and the chain for old tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.chain import ChainedRow, link, read_rows
from pytest_housekeeping.postgres.own_tables.tables import are_chained, columns_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What a row that is about to be written gets from the server: its id, the time, the role."""

    id: int
    at: str
    by: str


def next_places(connection: Connection, schema: str, table: str, number: int) -> Sequence[Place]:
    """Places for as many rows, in their order."""
    found = connection.execute(
        "SELECT pg_catalog.nextval(pg_catalog.pg_get_serial_sequence(%s, 'id')),"
        " pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',"
        " 'YYYY-MM-DD HH24:MI:SS.US') || '+00', current_user::text"
        " FROM pg_catalog.generate_series(1, %s)",
        (sql.Identifier(schema, table).as_string(connection), number),
    ).fetchall()
    return [Place(id=each, at=at, by=by) for each, at, by in sorted(found)]


def last_chain(connection: Connection, schema: str, table: str) -> str:
    """The chain of the newest row; "" before the first."""
    row = connection.execute(
        sql.SQL("SELECT chain FROM ONLY {} ORDER BY id DESC LIMIT 1").format(
            sql.Identifier(schema, table)
        )
    ).fetchone()
    return str(row[0]) if row else ""


def chain_old_rows(connection: Connection, schema: str) -> None:
    """Tables that an earlier version has made get the chain, over the rows as they are.

    What had happened to them before cannot be told any more: the evidence in git tells it.
    """
    there = columns_of(connection, schema)
    if are_chained(there):
        return
    rows = read_rows(connection, schema, "history", there)
    promotions = read_rows(connection, schema, "promotion", there)
    chains = _chains(rows)
    closed, chained = _promotion_chains(promotions, rows, chains)
    _add_column(connection, schema, "history", "chain", chains)
    if promotions or _there(connection, schema):
        _add_column(connection, schema, "promotion", "history_chain", closed)
        _add_column(connection, schema, "promotion", "chain", chained)


def _chains(rows: Sequence[ChainedRow]) -> dict[int, str]:
    chains: dict[int, str] = {}
    previous = ""
    for row in rows:
        chains[row.id] = previous = link(previous, row.table, row.fields)
    return chains


def _promotion_chains(
    promotions: Sequence[ChainedRow], rows: Sequence[ChainedRow], chains: Mapping[int, str]
) -> tuple[dict[int, str], dict[int, str]]:
    """Each promotion closes over the last history row of its run."""
    ends = {row.run: chains[row.id] for row in rows}
    closed: dict[int, str] = {}
    chained: dict[int, str] = {}
    head = previous = ""
    for promotion in promotions:
        closed[promotion.id] = head = ends.get(promotion.run, head)
        fields = (*promotion.fields, head)
        chained[promotion.id] = previous = link(previous, promotion.table, fields)
    return closed, chained


def _add_column(
    connection: Connection, schema: str, table: str, column: str, values: Mapping[int, str]
) -> None:
    name = sql.Identifier(schema, table)
    connection.execute(
        sql.SQL(
            "ALTER TABLE {table} ADD COLUMN {column} text;"
            " UPDATE ONLY {table} AS t SET {column} = v.value"
            " FROM unnest({ids}::bigint[], {texts}::text[]) AS v (id, value) WHERE t.id = v.id;"
            " ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"
        ).format(
            table=name,
            column=sql.Identifier(column),
            ids=sql.Literal(list(values)),
            texts=sql.Literal(list(values.values())),
        )
    )


def _there(connection: Connection, schema: str) -> bool:
    row = connection.execute(
        "SELECT pg_catalog.to_regclass(%s) IS NOT NULL",
        (sql.Identifier(schema, "promotion").as_string(connection),),
    ).fetchone()
    return row is not None and bool(row[0])
