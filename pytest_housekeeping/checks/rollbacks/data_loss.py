"""How many rows and values the tables hold, and which of them a rollback file has destroyed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.identifiers import quoted

# Policies bind the owner of a table only where they are forced: without FORCE it counts all rows.
# https://www.postgresql.org/docs/16/ddl-rowsecurity.html
_NO_FORCE = """
DO $$
DECLARE
    forced record;
BEGIN
    FOR forced IN
        SELECT c.oid::regclass AS name FROM pg_catalog.pg_class AS c
        WHERE c.relforcerowsecurity AND c.oid = ANY ('{oids}'::oid[])
        AND pg_catalog.pg_has_role(current_user, c.relowner, 'USAGE')
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', forced.name);
    END LOOP;
END
$$"""
# What was ever written to a table in this transaction is counted for it, also what was rolled back;
# TRUNCATE gives it another file. What is written to a child, or to a partition, is not counted for
# its parent.
_TABLES = """
SELECT c.oid::int8, n.nspname, c.relname,
       coalesce((SELECT i.inhparent FROM pg_catalog.pg_inherits AS i
                 WHERE i.inhrelid = c.oid AND c.relispartition), 0)::int8,
       (SELECT coalesce(pg_catalog.json_object_agg(a.attnum, a.attname), '{}')::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       CASE WHEN pg_catalog.current_setting('track_counts')::bool AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid) THEN
           pg_catalog.concat_ws(' ', pg_catalog.pg_relation_filenode(c.oid),
               pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
               pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
               pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)) END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT n.nspname = ANY (%s)
AND pg_catalog.pg_has_role(current_user, c.relowner, 'USAGE')
ORDER BY 2, 3"""
# That is NULL of a table that is not there; to look into pg_class costs what has ever been in it.
_GONE = """
SELECT t::pg_catalog.int8 FROM pg_catalog.unnest(%s::pg_catalog.oid[]) AS t
WHERE pg_catalog.pg_table_is_visible(t) IS NULL"""
_LAST_NAME = re.compile(r'\.(?:"(?:[^"]|"")+"|[^".]+)$')
_COUNT = sql.SQL("SELECT pg_catalog.json_build_array({counts}) FROM {table}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TableContents:
    """A table by the name that one would type, its number of rows, and by attribute number each
    column's name and number of values that are not NULL. ``parent`` is the OID of the table that
    it is a partition of, or 0; the rows of a partition count as its parent's too. ``mark`` is
    another one when anything was written to the table in between, None where nobody can tell;
    ``told`` is what the catalogs tell of it."""

    name: str
    parent: int
    rows: int
    columns: Mapping[int, tuple[str, int]]
    mark: str | None
    told: tuple[str, str, int, str]


# By OID, so that a renamed table is still the same one.
Contents: TypeAlias = Mapping[int, TableContents]


def read_contents(
    connection: Connection,
    *,
    excluded: tuple[str, ...],
    before: Contents | None = None,
    dropped: bool = False,
) -> Contents:
    """The tables that this role owns, and how much is in them.

    Every row is read, so this is for a throwaway database; of what was read ``before``, in the same
    transaction, only the tables that were written to since; none where tables were ``dropped`` at
    most. Only inside an open transaction: FORCE ROW LEVEL SECURITY is lifted in a savepoint that is
    rolled back.
    """
    if before and dropped and (found := _still_there(connection, before)) is not None:
        return found
    contents: dict[int, TableContents] = {}
    asked: list[tuple[Any, ...]] = []
    for row in connection.execute(_TABLES, (list(excluded),)).fetchall():
        oid, *told, mark = row
        was = before.get(oid) if before else None
        if was and mark and mark == was.mark and was.told == tuple(told):
            contents[oid] = was
        else:
            asked.append(row)
    return {**contents, **_counted(connection, asked)}


def _still_there(connection: Connection, before: Contents) -> Contents | None:
    """Those that are; None where what is gone may have held rows that count for one of them too."""
    oids = f"{{{','.join(map(str, before))}}}"
    gone = [oid for (oid,) in connection.execute(_GONE, (oids,)).fetchall()]
    if not gone:
        return before
    left = dict(before)
    for oid in gone:
        del left[oid]
    return None if any(held.mark is None for held in left.values()) else left


def _counted(connection: Connection, tables: Sequence[tuple[Any, ...]]) -> Contents:
    if not tables:
        return {}
    # One scan for each table, and one round trip for all of them, in whatever order.
    queries = sql.SQL(" UNION ALL ").join(
        _count_query(oid, schema, name, json.loads(columns))
        for oid, schema, name, _, columns, _ in tables
    )
    with rolled_back(connection):
        oids = ",".join(str(oid) for oid, *_ in tables)
        connection.execute(_NO_FORCE.replace("{oids}", f"{{{oids}}}").encode())
        counted = {oid: held for ((oid, *held),) in connection.execute(queries)}
    return {
        oid: TableContents(
            name=quoted(schema, table),
            parent=parent,
            rows=counted[oid][0],
            columns={
                int(number): (quoted(column), held)
                for (number, column), held in zip(
                    json.loads(columns).items(), counted[oid][1:], strict=True
                )
            },
            mark=mark,
            told=(schema, table, parent, columns),
        )
        for oid, schema, table, parent, columns, mark in tables
    }


def _count_query(oid: int, schema: str, table: str, columns: Mapping[str, str]) -> sql.Composed:
    counts: list[sql.Composable] = [sql.Literal(oid), sql.SQL("pg_catalog.count(*)")]
    counts += [sql.SQL("pg_catalog.count({})").format(sql.Identifier(c)) for c in columns.values()]
    return _COUNT.format(counts=sql.SQL(", ").join(counts), table=sql.Identifier(schema, table))


def losses(before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    """What is gone: the object as one would type it, and how much of it there was.

    Of a table that is dropped with its partitions, only the table is told.
    """
    for oid, was in before.items():
        now = after.get(oid)
        if now is was:
            continue
        if now is None:
            if was.parent not in before or was.parent in after:
                yield (
                    f"table {was.name}",
                    f"is dropped by the rollback, with {_count(was.rows, 'row')}",
                )
            continue
        if was.parent:
            continue
        for number, (column, values) in was.columns.items():
            if number not in now.columns:
                yield (
                    f"column {was.name}.{column}",
                    f"is dropped by the rollback, with {_count(values, 'value')}",
                )
        if now.rows < was.rows:
            yield (
                f"table {was.name}",
                f"loses {was.rows - now.rows} of {_count(was.rows, 'row')} by the rollback",
            )


def table_of(lost: str) -> str:
    """The table that was lost, or that a column was lost from; ``losses`` gave the name."""
    kind, _, name = lost.partition(" ")
    return _LAST_NAME.sub("", name) if kind == "column" else name


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)
