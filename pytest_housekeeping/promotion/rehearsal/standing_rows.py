"""Which of the tables that a batch touches hold rows in production."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection

_PATIENCE = "2s"


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
