"""What the rows of a few tables hold, and what of it is there no more, or is another."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection

_SHOWN = 40
_NUMBER = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRows:
    """The rows of a table: of each column, by its number, the name and the values as texts."""

    name: str
    count: int
    columns: Mapping[int, tuple[str, tuple[str | None, ...]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """What has become of values: the table or column, how, and of how many rows."""

    object: str
    how: str
    rows: int


def read_rows(connection: Connection, oids: Iterable[int]) -> dict[int, TableRows]:
    """What these tables hold now, by OID; one that is gone is not in it."""
    found = {}
    for oid, name, columns in connection.execute(_TABLES, (sorted(oids),)).fetchall():
        texts = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(column)) for _, column in columns
        )
        query = sql.SQL("SELECT {} FROM ONLY {}").format(texts, sql.SQL(name))
        rows = connection.execute(query).fetchall()
        found[oid] = TableRows(
            name=name,
            count=len(rows),
            columns={
                number: (column, tuple(_plain(row[place]) for row in rows))
                for place, (number, column) in enumerate(columns)
            },
        )
    return found


def _plain(value: str | None) -> str | None:
    """A number without the zeros that say nothing: 49.00 is 49."""
    if value is None or not _NUMBER.fullmatch(value):
        return value
    return value.rstrip("0").rstrip(".")


def losses(before: Mapping[int, TableRows], after: Mapping[int, TableRows]) -> Iterator[Loss]:
    """What the rows of before have lost, table by table."""
    for oid, old in before.items():
        if not old.count:
            continue
        new = after.get(oid)
        if new is None:
            yield Loss(object=f"table {old.name}", how="dropped, with its rows", rows=old.count)
            continue
        if new.count < old.count:
            yield Loss(object=f"table {old.name}", how="rows are gone", rows=old.count - new.count)
            continue
        for number, (name, values) in old.columns.items():
            yield from _of_column(f"column {old.name}.{name}", values, new.columns.get(number))


def _of_column(
    name: str, values: tuple[str | None, ...], now: tuple[str, tuple[str | None, ...]] | None
) -> Iterator[Loss]:
    filled = [value for value in values if value is not None]
    if now is None:
        if filled:
            yield Loss(object=name, how="dropped, with its values", rows=len(filled))
        return
    missing = list((Counter(values) - Counter(now[1])).elements())
    come = [value for value in (Counter(now[1]) - Counter(values)).elements() if value is not None]
    kept = [value for value in missing if value is not None]
    cut = [old for old in kept if any(new and old.startswith(new) for new in come)]
    if cut:
        yield Loss(object=name, how=f"values are cut off, {_example(cut, come)}", rows=len(cut))
    if kept and not come:
        yield Loss(object=name, how="values are NULL now", rows=len(kept))
    elif len(kept) > len(cut):
        yield Loss(
            object=name,
            how=f"values are others now, {_example(kept, come)}",
            rows=len(kept) - len(cut),
        )


def _example(old: list[str], new: list[str]) -> str:
    """The values are made up: they can be shown."""
    return f"{json.dumps(old[0][:_SHOWN])} → {json.dumps(new[0][:_SHOWN])}"


_TABLES: LiteralString = """
SELECT c.oid::int8, pg_catalog.format('%%I.%%I', n.nspname, c.relname), (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%s) AND c.relkind IN ('r', 'p') AND EXISTS (
    SELECT FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
)
ORDER BY 2
"""
