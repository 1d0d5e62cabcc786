"""Which of the tables that a batch touches hold rows in production."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection

_PATIENCE = "2s"
_WORD = re.compile(r"\w+")
# What reaches tables that no file names.
_FAR = ["cascade", "do", "domain", "execute", "owned", "perform", "schema", "type"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingTable:
    """A table that stood before the batch. What nobody can tell counts as holding rows."""

    name: str
    schema: str
    table: str
    holds: bool


def tables_with_rows(
    connection: Connection, names: Iterable[str], *, but: str
) -> tuple[StandingTable, ...]:
    """The tables of these names, without those of the schema ``but``; at most one row of each is
    read, where neither ANALYZE nor the counters of use know of any.

    Outside of a transaction.
    """
    rows = connection.execute(_KNOWN, {"names": sorted(set(names)), "but": but}).fetchall()
    return tuple(
        StandingTable(
            name=name, schema=schema, table=table, holds=counted or _holds(connection, name)
        )
        for name, schema, table, counted in rows
    )


def may_touch_rows(connection: Connection, texts: Iterable[str]) -> bool:
    """Whether files may touch a table that holds a page, by the words in them.

    Before they have run nobody knows what they touch. A table that they name counts, its
    partitions, what inherits from it and what a foreign key ties to it; where they reach what they
    do not name (by CASCADE, a function, a trigger, a type), every table does.
    """
    words = sorted({word.lower() for text in texts for word in _WORD.findall(text)})
    row = connection.execute(_TOUCHED, {"words": words, "far": _FAR}).fetchone()
    return row is None or bool(row[0])


def _holds(connection: Connection, name: str) -> bool:
    try:
        connection.execute(f"BEGIN READ ONLY; SET LOCAL lock_timeout = '{_PATIENCE}'".encode())
        row = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.SQL(name)))
        return (row.fetchone() or (True,))[0] is True
    except psycopg.Error:
        if connection.closed:
            raise
        return True
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")


_TOUCHED: LiteralString = r"""
WITH RECURSIVE ours AS (
    SELECT c.oid, c.relname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), named AS (
    SELECT oid FROM ours
    WHERE pg_catalog.lower(relname) = ANY (%(words)s) OR relname !~ '^\w+$'
), near (oid) AS (
    SELECT oid FROM named
    UNION SELECT k.conrelid FROM pg_catalog.pg_constraint AS k
    JOIN named ON named.oid = k.confrelid WHERE k.contype = 'f'
    UNION SELECT k.confrelid FROM pg_catalog.pg_constraint AS k
    JOIN named ON named.oid = k.conrelid WHERE k.contype = 'f'
), whole (oid) AS (
    SELECT oid FROM near
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN whole ON whole.oid = i.inhparent
), far AS (
    SELECT %(far)s::text[] && %(words)s::text[]
        OR EXISTS (SELECT FROM pg_catalog.pg_trigger AS t JOIN whole ON whole.oid = t.tgrelid
                   WHERE NOT t.tgisinternal)
        OR EXISTS (SELECT FROM pg_catalog.pg_proc AS p
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
                   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                   AND pg_catalog.lower(p.proname) = ANY (%(words)s)) AS reached
)
SELECT EXISTS (
    SELECT FROM ours AS o CROSS JOIN far
    JOIN LATERAL (SELECT pg_catalog.pg_relation_size(o.oid) AS size) AS s ON s.size > 0
    WHERE far.reached OR o.oid IN (SELECT oid FROM whole)
)
"""

# Row-level security may hide what is there; the estimate and the counters see all of it.
_KNOWN: LiteralString = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), n.nspname::text, c.relname::text,
    c.reltuples > 0 OR pg_catalog.pg_stat_get_live_tuples(c.oid) > 0
FROM pg_catalog.unnest(%(names)s::text[]) AS t (name)
JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(t.name)
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> %(but)s AND n.nspname !~ '^pg_'
ORDER BY 1
"""
