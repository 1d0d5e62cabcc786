"""The chain over the tool's own rows: each holds a digest of itself and of the row before it.

Whoever can write to the tables can compute it: it is no signature. It tells that a row was edited,
taken out, put in or moved by anybody who did not redo everything behind it, and says which. That
a promotion's row closes over the history's rows makes a history row that stands by itself tell.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables.tables import TABLES

CHAINED = tuple(TABLES)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainedRow:
    """One row of an own table as the chain sees it: every field but the chain as text."""

    table: str
    id: int
    run: str
    fields: tuple[str, ...]
    chain: str
    history_chain: str = ""

    @property
    def name(self) -> str:
        return f"{self.table} row {self.id} (run {self.run})"


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of a row is there: an UPDATE makes another one, and so does a DELETE followed
    by the same row inserted again."""

    table: str
    id: int
    chain: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A row that does not fit: its name, and how. ``stray``: only that no promotion wrote it."""

    row: str
    said: str
    stray: bool = False


def link(previous: str, table: str, fields: Sequence[str]) -> str:
    """The chain of a row: sha256 over that of the row before it and all its own fields."""
    text = json.dumps([previous, table, *fields], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def float_field(value: float) -> str:
    """A double precision as the chain takes it down: its eight bytes, as float8send() has them."""
    return struct.pack(">d", value).hex()


def text_digest(text: str) -> str:
    """What stands in the chain for a long text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_rows(
    connection: Connection, schema: str, table: str, columns: Mapping[str, frozenset[str]]
) -> tuple[ChainedRow, ...]:
    """All rows in order; their chain is "" in a table that an earlier version has made.

    ``columns`` are those of the tables that are there: `columns_of`. Settings of the session do
    not count: times and numbers are read in one form.
    """
    names = columns.get(table)
    if names is None:
        return ()
    chained = "chain" in names
    fields = [
        _field(column.name, column.type)
        for column in TABLES[table]
        if column.name != "chain" and (chained or not column.since_chain)
    ]
    extra = "t.history_chain" if chained and table == "promotion" else "''"
    query = sql.SQL(
        "SELECT t.id, t.run, ARRAY[{fields}], {chain}, {extra} FROM ONLY {table} AS t ORDER BY t.id"
    ).format(
        fields=sql.SQL(", ").join(sql.SQL(each) for each in fields),
        chain=sql.SQL("t.chain" if chained else "''"),
        extra=sql.SQL(extra),
        table=sql.Identifier(schema, table),
    )
    return tuple(
        ChainedRow(
            table=table,
            id=number,
            run=run,
            fields=tuple(values),
            chain=chain,
            history_chain=closed,
        )
        for number, run, values, chain, closed in connection.execute(query).fetchall()
    )


def read_versions(
    connection: Connection, schema: str, columns: Mapping[str, frozenset[str]]
) -> tuple[Version, ...]:
    """Which rows the own tables hold, and which version of each; their contents are not read.

    ``columns`` are those of the tables that are there: `columns_of`.
    """
    queries = [
        sql.SQL(
            "SELECT {name}::text, t.id, {chain}, t.xmin::text || ' ' || t.ctid::text || ' '"
            " || t.tableoid::text FROM ONLY {table} AS t"
        ).format(
            name=sql.Literal(table),
            chain=sql.SQL("t.chain" if "chain" in names else "''"),
            table=sql.Identifier(schema, table),
        )
        for table, names in columns.items()
    ]
    if not queries:
        return ()
    query = sql.SQL(" UNION ALL ").join(queries) + sql.SQL(" ORDER BY 1, 2")
    return tuple(Version(*row) for row in connection.execute(query).fetchall())


def faults(rows: Sequence[ChainedRow], promotions: Sequence[ChainedRow]) -> Iterator[Fault]:
    """Each row that breaks the chain of its table, and each history row without a promotion.

    A chain that is broken is reported once: what comes behind is judged from there on.
    """
    yield from _broken(rows)
    yield from _broken(promotions)
    yield from _unpromoted(rows, promotions)


def unchained_faults(
    rows: Sequence[ChainedRow], promotions: Sequence[ChainedRow]
) -> Iterator[Fault]:
    """The same for tables without a chain: a row's run has to be one of a promotion."""
    runs = {row.run for row in promotions}
    for row in rows:
        if row.run not in runs:
            yield _stray(row)


def _broken(rows: Sequence[ChainedRow]) -> Iterator[Fault]:
    previous = ""
    for row in rows:
        if link(previous, row.table, row.fields) != row.chain:
            yield Fault(
                row=row.name,
                said="does not carry the digest of itself and the row before it: it was edited,"
                " or written by hand, or a row before it is gone or was moved",
            )
        previous = row.chain


def _unpromoted(rows: Sequence[ChainedRow], promotions: Sequence[ChainedRow]) -> Iterator[Fault]:
    """A promotion's row names the newest history row of its time: what it wrote ends there."""
    places = {row.chain: place for place, row in enumerate(rows)}
    covered = 0
    for promotion in promotions:
        closed = promotion.history_chain
        place = places.get(closed, -1) if closed else -1
        if closed and place < 0:
            yield Fault(
                row=promotion.name,
                said="names a history row that is not there: it was edited, or is gone",
            )
            continue
        for row in rows[covered : place + 1]:
            if row.run != promotion.run:
                yield _stray(row)
        covered = max(covered, place + 1)
    yield from (_stray(row) for row in rows[covered:])


def _stray(row: ChainedRow) -> Fault:
    return Fault(row=row.name, said="no promotion is on record that has written it", stray=True)


def _field(name: str, kind: str) -> str:
    """A column as text, whatever DateStyle, TimeZone and extra_float_digits are."""
    if kind.startswith("timestamp"):
        return (
            f"pg_catalog.to_char(t.{name} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'"
        )
    if kind == "double precision":
        return f"pg_catalog.encode(pg_catalog.float8send(t.{name}), 'hex')"
    if name == "objects":
        return (
            "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(t.objects, 'UTF8')), 'hex')"
        )
    return f"t.{name}::text"
