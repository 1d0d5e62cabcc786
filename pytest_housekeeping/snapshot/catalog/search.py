"""Asking the catalogs which rows they hold: one statement for all of them, or for each touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import TypeAlias

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.catalogs import CATALOGS, Catalog
from pytest_housekeeping.snapshot.catalog.session import Row, named, results

# A catalog and an OID in it.
Address: TypeAlias = tuple[int, int]
# How often a catalog was written to, and how many rows more it has.
Written: TypeAlias = tuple[int, int]

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
    this was seen in; names, and what this transaction has written, as in ``NotedRows``. What was
    not looked at is not among the rows."""

    rows: Mapping[str, tuple[int, frozenset[str]]]
    snapshot: str
    names: Mapping[Address, str]
    written: Mapping[str, Written]


def searched(connection: Connection, horizon: str) -> Found:
    """What is there, in all catalogs."""
    rows, names = results(connection, [f"EXECUTE {SEARCH} ('{horizon}')", f"EXECUTE {NAMES}"])
    return _found(rows, names, written={})


def searched_once(
    connection: Connection, horizon: str
) -> tuple[Found, Mapping[str, Mapping[int, str]]]:
    """The same, and what the settled rows tell of as `listed` has it, in one statement: it is of no
    use to a session that searches again."""
    first = " UNION ALL ".join([*map(_first, CATALOGS), f"{_SNAPSHOT}, NULL"])
    asked = first.replace("$1", f"'{horizon}'::xid")
    rows, names = results(connection, [asked, _NAMES])
    found = _found((row[:3] for row in rows), names, written={})
    settled = {}
    for name, _, _, words in rows:
        if name:
            told, young = dict(_by_key(words or "")), {*_keys(found.rows[name][1])}
            settled[name] = {key: of for key, of in told.items() if key not in young}
    return found, settled


def searched_alone(
    connection: Connection, horizon: str, known: Mapping[str, Written], catalogs: Mapping[int, str]
) -> Found:
    """The same where nobody but this transaction writes: in those of the ``catalogs``, by their
    OIDs, that it has not written to as often as is ``known``."""
    asked = f"EXECUTE {COUNTED} ('{{{','.join(map(str, catalogs))}}}')"
    (answer,) = results(connection, [asked])
    written = {catalogs[oid]: (often, more) for oid, often, more in answer}
    touched = [
        f"EXECUTE {ONE_BY_ONE[each.name]} ('{horizon}')"
        for each in CATALOGS
        if each.name not in written or written[each.name] != known.get(each.name)
    ]
    *rows, names = results(connection, [*touched, _SNAPSHOT, f"EXECUTE {NAMES}"])
    return _found([row for part in rows for row in part], names, written=written)


def counted(
    connection: Connection, catalogs: Mapping[int, str], *, first: str = "", then: str = ""
) -> Mapping[str, Written]:
    """What this transaction has written to the ``catalogs`` until now, where that is counted.

    In any session: nothing is prepared, nothing set and nothing to be put back. In the same round
    trip go statements without an answer, ``first`` and ``then``.
    """
    oids = ",".join(map(str, catalogs))
    asked = _COUNTED.replace("$1", f"'{{{oids}}}'::pg_catalog.oid[]")
    cursor = connection.execute(f"{first};{asked};{then}".encode())
    while cursor.description is None and cursor.nextset():
        pass
    return {catalogs[oid]: (often, more) for oid, often, more in cursor.fetchall()}


def _found(rows: Iterable[Row], names: Iterable[Row], *, written: Mapping[str, Written]) -> Found:
    found, snapshot = dict[str, tuple[int, frozenset[str]]](), ""
    for name, total, words in rows:
        if not name:
            snapshot = words
            continue
        young = frozenset(words.split()) if words else frozenset[str]()
        found[name] = reduce(xor, _keys(young), total or 0), young
    named = {(catalog, oid): name for catalog, oid, name in names}
    return Found(rows=found, snapshot=snapshot, names=named, written=written)


def _keys(words: Iterable[str]) -> Iterator[int]:
    """The hashes of the keys of young rows."""
    return (int(word.partition(":")[0]) for word in words)


def listed(
    connection: Connection, catalogs: Iterable[Catalog], horizon: str
) -> Mapping[str, Mapping[int, str]]:
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
_COUNTED = """
SELECT c, i + pg_catalog.pg_stat_get_xact_tuples_updated(c) + d, i - d
FROM pg_catalog.unnest($1) AS c
CROSS JOIN LATERAL (SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(c),
    pg_catalog.pg_stat_get_xact_tuples_deleted(c)) AS n (i, d)
WHERE pg_catalog.current_setting('track_counts')::pg_catalog.bool"""


def _search(catalog: Catalog) -> str:
    """One row: the sum of the keys of all rows, and the young rows as words. Without their keys it
    is the sum of the settled ones (`_found`): to look at each row once takes the less."""
    young, key = "age(xmin) <= age($1)", catalog.key or "0::int8"
    word = f"concat_ws(':', {key}, ctid, xmin, {catalog.object}, {catalog.owner})"
    of = f"FROM pg_catalog.{catalog.name} WHERE"
    if not catalog.key:
        return f"SELECT '{catalog.name}', 0::int8, string_agg({word}, ' ') {of} {young}"
    return (
        f"SELECT '{catalog.name}', bit_xor({key}),"
        f" string_agg({word}, ' ') FILTER (WHERE {young}) {of} {catalog.where}"
    )


def _settled(catalog: Catalog, horizon: str) -> str:
    word, which = _of_users(catalog)
    return (
        f"SELECT '{catalog.name}', string_agg({word}, ' ') FROM pg_catalog.{catalog.name}"
        f" WHERE ({catalog.where}) AND {which} AND age(xmin) > age('{horizon}'::xid)"
    )


def _of_users(catalog: Catalog) -> tuple[str, str]:
    """What a settled row tells, and which of them do."""
    oid = catalog.object.rpartition(", ")[2]
    word = f"concat_ws(':', {catalog.key}, {catalog.object}, {catalog.owner})"
    return word, f"({oid} >= {FIRST_OF_USERS} OR {oid} = {PUBLIC})"


def _first(catalog: Catalog) -> str:
    """One row: as `_search` has it, and what the settled rows tell, and young ones too."""
    told, source = "NULL", f" FROM pg_catalog.{catalog.name} WHERE"
    if catalog.key:
        word, which = _of_users(catalog)
        told = f"string_agg({word}, ' ') FILTER (WHERE {which})"
    return _search(catalog).replace(source, f", {told}{source}", 1)


_SNAPSHOT = "SELECT '', 0, pg_current_snapshot()::text"
_SINGLE = {each.name: _search(each) for each in CATALOGS}
_SEARCH = " UNION ALL ".join([*_SINGLE.values(), _SNAPSHOT])
_NAMES = """
SELECT 'pg_authid'::regclass::oid, oid, rolname::text FROM pg_catalog.pg_roles
UNION ALL SELECT 'pg_namespace'::regclass, oid, nspname FROM pg_catalog.pg_namespace
UNION ALL SELECT 'pg_tablespace'::regclass, oid, spcname FROM pg_catalog.pg_tablespace"""
SEARCH, NAMES, COUNTED = named(_SEARCH), named(_NAMES), named(_COUNTED)
ONE_BY_ONE = {name: named(text) for name, text in _SINGLE.items()}
PREPARED = {
    SEARCH: f"PREPARE {SEARCH} (xid) AS {_SEARCH}",
    NAMES: f"PREPARE {NAMES} AS {_NAMES}",
}
PREPARED_ALONE = {
    COUNTED: f"PREPARE {COUNTED} (oid[]) AS {_COUNTED}",
    **{
        ONE_BY_ONE[name]: f"PREPARE {ONE_BY_ONE[name]} (xid) AS {_SINGLE[name]}" for name in _SINGLE
    },
}
