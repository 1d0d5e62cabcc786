"""Asking the catalogs which rows they hold: one statement for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import TypeAlias

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog_session import named, results
from pytest_housekeeping.snapshot.catalogs import CATALOGS, Catalog

# A catalog and an OID in it.
Address: TypeAlias = tuple[int, int]

# What a server was made with has an OID below; its rows are in the sums alone. The schema public is
# like any other.
FIRST_OF_USERS = 16384
PUBLIC = 2200
# Whoever wrote before it has an id below those of all savepoints that begin later.
ID_OF_ITS_OWN = """SAVEPOINT hk_id;
SELECT pg_catalog.pg_logical_emit_message(true, 'pytest-housekeeping', '');
ROLLBACK TO SAVEPOINT hk_id; RELEASE SAVEPOINT hk_id"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """By the name of each catalog the sum of its settled rows and its young ones; the snapshot that
    this was seen in; names, and how often this transaction has written, as in ``NotedRows``."""

    rows: Mapping[str, tuple[int, frozenset[str]]]
    snapshot: str
    names: Mapping[Address, str]
    written: Mapping[str, int]


def searched(connection: Connection, horizon: str, known: Mapping[str, int]) -> Found:
    """What is there.

    A catalog to which this transaction has written as often as is ``known`` is not looked at: its
    sum is 0, and no row of it is young.
    """
    counts = ",".join(str(known.get(each.name, "NULL")) for each in CATALOGS)
    search = f"EXECUTE {SEARCH} ('{horizon}', '{{{counts}}}')"
    rows, names, written = results(connection, [search, f"EXECUTE {NAMES}", f"EXECUTE {COUNTED}"])
    found = {
        name: (total or 0, frozenset(words.split()) if words else frozenset[str]())
        for name, total, words in rows
        if name
    }
    return Found(
        rows=found,
        snapshot=next(words for name, _, words in rows if not name),
        names={(catalog, oid): name for catalog, oid, name in names},
        written=dict(written),
    )


def listed(
    connection: Connection, catalogs: Iterable[Catalog], horizon: str
) -> dict[str, dict[int, str]]:
    """The settled rows of some catalogs, by the hash of their key."""
    statements = [_settled(each, horizon) for each in catalogs]
    if not statements:
        return {}
    rows = connection.execute(" UNION ALL ".join(statements).encode()).fetchall()
    return {name: dict(_by_key(words or "")) for name, words in rows}


def _by_key(words: str) -> Iterator[tuple[int, str]]:
    for word in words.split():
        key, _, told = word.partition(":")
        yield int(key), told


# Also what was rolled back to a savepoint counts.
_WRITTEN = (
    "pg_stat_get_xact_tuples_inserted({0}) + pg_stat_get_xact_tuples_updated({0})"
    " + pg_stat_get_xact_tuples_deleted({0})"
)
_COUNTED = f"""
SELECT relname::text, {_WRITTEN.format("oid")} FROM pg_catalog.pg_class
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND oid < {FIRST_OF_USERS}
    AND current_setting('track_counts')::bool"""


def _search(place: int, catalog: Catalog) -> str:
    """One row: the sum of the settled keys, and the young rows as words.

    A catalog is not looked at while this transaction has written to it so often as is told.
    """
    young, key = "age(xmin) <= (SELECT age($1))", catalog.key or "0::int8"
    word = f"concat_ws(':', {key}, ctid, xmin, {catalog.object}, {catalog.owner})"
    where, total = young, "0::int8"
    if catalog.key:
        where, total = catalog.where, f"bit_xor({key}) FILTER (WHERE NOT {young})"
    written = _WRITTEN.format(f"'pg_catalog.{catalog.name}'::regclass")
    return (
        f"SELECT '{catalog.name}', {total}, string_agg({word}, ' ') FILTER (WHERE {young})"
        f" FROM pg_catalog.{catalog.name} WHERE ({where})"
        f" AND (SELECT $2[{place}] IS DISTINCT FROM {written})"
    )


def _settled(catalog: Catalog, horizon: str) -> str:
    word = f"concat_ws(':', {catalog.key}, {catalog.object}, {catalog.owner})"
    oid = catalog.object.rpartition(", ")[2]
    return (
        f"SELECT '{catalog.name}', string_agg({word}, ' ') FROM pg_catalog.{catalog.name}"
        f" WHERE ({catalog.where}) AND ({oid} >= {FIRST_OF_USERS} OR {oid} = {PUBLIC})"
        f" AND age(xmin) > (SELECT age('{horizon}'::xid))"
    )


_SEARCH = " UNION ALL ".join(
    [*starmap(_search, enumerate(CATALOGS, 1)), "SELECT '', 0, pg_current_snapshot()::text"]
)
_NAMES = """
SELECT 'pg_authid'::regclass::oid, oid, rolname::text FROM pg_catalog.pg_roles
UNION ALL SELECT 'pg_namespace'::regclass, oid, nspname FROM pg_catalog.pg_namespace
UNION ALL SELECT 'pg_tablespace'::regclass, oid, spcname FROM pg_catalog.pg_tablespace"""
SEARCH, NAMES, COUNTED = named(_SEARCH), named(_NAMES), named(_COUNTED)
PREPARED = {
    SEARCH: f"PREPARE {SEARCH} (xid, int8[]) AS {_SEARCH}",
    NAMES: f"PREPARE {NAMES} AS {_NAMES}",
    COUNTED: f"PREPARE {COUNTED} AS {_COUNTED}",
}
