"""Rows made up for the tables that a batch touches, parents first.

What production's own rows decide is asked of production. So these are rows that nothing could have
against: where the table is there after the batch as well, they satisfy its constraints of before
and of after, as far as such values are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rls.rows.canary import insert_statement
from pytest_housekeeping.checks.rls.rows.constraint_values import NoRow, columns_in
from pytest_housekeeping.checks.rls.rows.row_maker import MadeUpRow, RowMaker
from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape, TableShape
from pytest_housekeeping.checks.rls.rows.type_values import TEXTS
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, Savepoint

# Two, so that what holds for a row alone is found out.
_ROWS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeded:
    """How many rows each of the tables got, and why some got none."""

    rows: Mapping[str, int]
    reasons: Mapping[str, str]


def seed(
    connection: Connection,
    before: Mapping[str, TableShape],
    after: Mapping[str, TableShape],
    wanted: Iterable[str],
) -> Seeded:
    """Put rows into each of the ``wanted`` tables, and into those that they refer to.

    ``before`` and ``after`` are the shapes of before the batch and of after it, by table. In an
    open transaction, of a superuser: policies bind nobody then.
    """
    asked = {name: _meeting(shape, after.get(name), before) for name, shape in before.items()}
    rows: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for name in wanted:
        there = _count(connection, name)
        if there:  # as the parent of another one
            rows[name] = there
            continue
        for shapes, fill in ((asked, True), (asked, False), (before, True), (before, False)):
            made, reason = _made(connection, shapes, name, fill=fill)
            if made:
                rows[name] = made
                reasons.pop(name, None)
                break
            reasons.setdefault(name, reason)
    return Seeded(rows=rows, reasons=reasons)


def _made(
    connection: Connection, shapes: Mapping[str, TableShape], name: str, *, fill: bool
) -> tuple[int, str]:
    """How many rows the table has got, or why none."""
    nobody: Mapping[str, Mapping[str, str]] = {}
    maker = RowMaker(
        connection=connection, shapes=shapes, carried=[nobody] * _ROWS, joins={}, fill=fill
    )
    savepoint = Savepoint()
    connection.execute(savepoint.begin)
    try:
        for who in range(_ROWS):
            maker.make(name, who)
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        placed = [_inserted(connection, row) for row in maker.rows]
        made = sum(each for each, row in zip(placed, maker.rows, strict=True) if _of(row, name))
        if made:
            return made, ""
        reason = "a trigger let the rows vanish"
    except (NoRow, RuleBroken) as error:
        reason = str(error).splitlines()[0]
    except psycopg.Error as error:
        reason = f"{error.sqlstate} {error.diag.message_primary or error}"
    connection.execute(savepoint.back)
    return 0, reason


def _count(connection: Connection, name: str) -> int:
    query = sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.SQL(name))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _of(row: MadeUpRow, name: str) -> bool:
    return row.shape.object == name


def _inserted(connection: Connection, row: MadeUpRow) -> int:
    """A parent that an earlier table has got already is there."""
    return connection.execute(f"{insert_statement(row)} ON CONFLICT DO NOTHING".encode()).rowcount


def _meeting(
    shape: TableShape, after: TableShape | None, known: Mapping[str, TableShape]
) -> TableShape:
    """The shape of before, with what the batch demands of the columns that it leaves there."""
    if after is None:
        return shape
    names = {column.name for column in shape.columns}

    def stays(columns: Iterable[str]) -> bool:
        return set(columns) <= names

    return replace(
        shape,
        columns=tuple(_column(column, after.column(column.name)) for column in shape.columns),
        checks=tuple(dict.fromkeys((*shape.checks, *_checks(after, names)))),
        keys=tuple(dict.fromkeys((*shape.keys, *filter(stays, after.keys)))),
        references=(
            *shape.references,
            *(
                each
                for each in after.references
                if each not in shape.references
                and each.parent in known
                and stays(each.columns)
                and all(known[each.parent].column(name) for name in each.parent_columns)
            ),
        ),
    )


def _checks(after: TableShape, names: set[str]) -> Iterator[str]:
    for text in after.checks:
        try:
            used = columns_in(text, after)
        except NoRow:
            continue
        if set(used) <= names:
            yield text


def _column(column: ColumnShape, after: ColumnShape | None) -> ColumnShape:
    """A text that becomes something else is one that can become it."""
    if after is None:
        return column
    required = column.required or after.required
    if column.plain in TEXTS and after.plain not in TEXTS:
        return replace(after, required=required, default=column.default, generated=column.generated)
    return replace(column, required=required)
