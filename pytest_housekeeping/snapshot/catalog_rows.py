"""Which rows of the catalogs are there: what a reading notes, to find what has changed since.

A row is known by a hash of its key, its place (``ctid``) and who wrote it (``xmin``). Rows written
before the horizon, a transaction id before which every transaction had ended when the reading began
(https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-PG-SNAPSHOT), are settled: none
comes into sight later, so what became of them shows in one sum of their keys for each catalog. The
others are noted one by one, also those of the reading transaction itself and of its savepoints.
``age()`` compares as PostgreSQL does: a frozen row keeps its ``xmin``, and once that counts as of
the future it is read again for nothing, never overlooked.

What PostgreSQL writes in place, without a new row, is no part of a fingerprint: ``relhasindex``,
``reltuples``, ``relfrozenxid`` and their like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor
from typing import TypeAlias

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog_session import named, results
from pytest_housekeeping.snapshot.catalogs import CATALOGS, Catalog

# A catalog and an OID in it.
Address: TypeAlias = tuple[int, int]

# A transaction that has written so many rows has them counted as settled, where it may.
_MANY = 1000
_XIDS = 2**32
# What a server was made with has an OID below; its rows are in the sums alone. The schema public is
# like any other.
FIRST_OF_USERS = 16384
PUBLIC = 2200
_BY_NAME = {each.name: each for each in CATALOGS}


@dataclass(frozen=True, kw_only=True)
class CatalogRows:
    """The rows of one catalog.

    ``settled`` tells by the hash of its key what a settled row tells of, ``absent`` which of these
    are not there any more: deleted, or replaced by a young one; ``total`` is the sum of the others.
    ``young`` are the rows that may have been written since the horizon, each in a word.
    """

    settled: Mapping[int, str]
    young: frozenset[str]
    absent: frozenset[int]
    total: int


@dataclass(frozen=True, kw_only=True)
class NotedRows:
    """What is there of all catalogs; ``names`` are those of roles, schemas and tablespaces."""

    horizon: str
    catalogs: Mapping[str, CatalogRows]
    names: Mapping[Address, str]


@dataclass(frozen=True, kw_only=True)
class ChangedRows:
    """What rows that came or went tell of.

    The objects, with whether what depends on them may be printed differently; ``renamed`` are
    roles, schemas and tablespaces that have another name or none. ``unexplained``: there is more
    than that, of PostgreSQL's own objects.
    """

    objects: Mapping[Address, bool]
    renamed: frozenset[Address]
    unexplained: bool


def _search(catalog: Catalog) -> str:
    """One row: the sum of the settled keys, and the young rows as words."""
    young, key = "age(xmin) <= (SELECT age($1))", catalog.key or "0::int8"
    word = f"concat_ws(':', {key}, ctid, xmin, {catalog.object}, {catalog.owner})"
    where, total = young, "0::int8"
    if catalog.key:
        where, total = catalog.where, f"bit_xor({key}) FILTER (WHERE NOT {young})"
    return (
        f"SELECT '{catalog.name}', {total}, string_agg({word}, ' ') FILTER (WHERE {young})"
        f" FROM pg_catalog.{catalog.name} WHERE {where}"
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
    [*(_search(each) for each in CATALOGS), "SELECT '', 0, pg_current_snapshot()::text"]
)
SEARCH = named(_SEARCH)
PREPARED = {SEARCH: f"PREPARE {SEARCH} (xid) AS {_SEARCH}"}
_NAMES = """
SELECT 'pg_authid'::regclass::oid, oid, rolname::text FROM pg_catalog.pg_roles
UNION ALL SELECT 'pg_namespace'::regclass, oid, nspname FROM pg_catalog.pg_namespace
UNION ALL SELECT 'pg_tablespace'::regclass, oid, spcname FROM pg_catalog.pg_tablespace"""
# Whoever wrote before it has an id below those of all savepoints that begin later.
_ID_OF_ITS_OWN = """SAVEPOINT hk_id;
SELECT pg_catalog.pg_logical_emit_message(true, 'pytest-housekeeping', '');
ROLLBACK TO SAVEPOINT hk_id; RELEASE SAVEPOINT hk_id"""


def note_rows(connection: Connection) -> NotedRows:
    """What is there now, for `changed_rows`. Before anything else of a reading."""
    (row,) = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text")
    horizon = str(row[0])
    found, _, names = _searched(connection, horizon)
    listed = _listed(connection, [each for each in CATALOGS if each.key], horizon)
    catalogs = {
        name: CatalogRows(
            settled=listed.get(name, {}), young=young, absent=frozenset(), total=total
        )
        for name, (total, young) in found.items()
    }
    return NotedRows(horizon=horizon, catalogs=catalogs, names=names)


def changed_rows(
    connection: Connection, base: NotedRows, *, settle: bool = False
) -> tuple[NotedRows, ChangedRows]:
    """What is there now, and what has changed since ``base`` was noted.

    With ``settle``, what this transaction has written before may be counted as settled: where
    whatever it writes afterwards is written in savepoints that are begun afterwards.
    """
    settle = settle and sum(len(each.young) for each in base.catalogs.values()) > _MANY
    if settle:
        connection.execute(_ID_OF_ITS_OWN)
    found, snapshot, names = _searched(connection, base.horizon)
    gone = [
        each
        for each in CATALOGS
        if found[each.name][0] != _expected(base.catalogs[each.name], found[each.name][1])
    ]
    listed = _listed(connection, gone, base.horizon)
    now = {
        name: _now(base.catalogs[name], total, young, listed.get(name))
        for name, (total, young) in found.items()
    }
    objects: dict[Address, bool] = {}
    for name, rows in now.items():
        _tell(objects, _changes(base.catalogs[name], rows), names=_BY_NAME[name].names)
    noted = NotedRows(horizon=base.horizon, catalogs=now, names=names)
    changed = ChangedRows(
        objects=objects,
        renamed=frozenset(each for each, name in base.names.items() if names.get(each) != name),
        unexplained=any(not _explained(base.catalogs[name], now[name]) for name in listed),
    )
    return (_with_settled(noted, snapshot) if settle else noted), changed


def _searched(
    connection: Connection, horizon: str
) -> tuple[dict[str, tuple[int, frozenset[str]]], str, dict[Address, str]]:
    rows, names = results(connection, [f"EXECUTE {SEARCH} ('{horizon}')", _NAMES])
    found = {
        name: (total or 0, frozenset(words.split()) if words else frozenset[str]())
        for name, total, words in rows
        if name
    }
    snapshot = next(words for name, _, words in rows if not name)
    return found, snapshot, {(catalog, oid): name for catalog, oid, name in names}


def _listed(
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


def _replaced(was: CatalogRows, young: frozenset[str]) -> set[int]:
    """The settled rows that rows written since replace."""
    keys = {int(word.partition(":")[0]) for word in young - was.young}
    return {key for key in keys if key in was.settled} - was.absent


def _expected(was: CatalogRows, young: frozenset[str]) -> int:
    """The sum of the settled rows, if none has gone but those that are replaced."""
    return reduce(xor, _replaced(was, young), was.total)


def _now(
    was: CatalogRows, total: int, young: frozenset[str], listed: Mapping[int, str] | None
) -> CatalogRows:
    """``listed`` are the settled rows that are there, where the sum does not tell."""
    if listed is None:
        absent = was.absent | _replaced(was, young)
        return replace(was, young=young, absent=absent, total=total)
    # What a transaction had deleted is there again when that is rolled back.
    settled = {**was.settled, **listed} if listed.keys() - was.settled.keys() else was.settled
    absent = frozenset(settled.keys() - listed.keys())
    return CatalogRows(settled=settled, young=young, absent=absent, total=total)


def _explained(was: CatalogRows, now: CatalogRows) -> bool:
    """Whether the rows that came and went make the difference of the sums."""
    back = now.settled.keys() - was.settled.keys()
    return reduce(xor, (was.absent ^ now.absent) | back, was.total) == now.total


def _changes(was: CatalogRows, now: CatalogRows) -> list[str]:
    """What the rows tell of that came or went."""
    words = [word.split(":", 3)[3] for word in was.young ^ now.young]
    words += [now.settled[key] for key in was.absent ^ now.absent]
    if now.settled is not was.settled:
        words += [now.settled[key] for key in now.settled.keys() - was.settled.keys()]
    return words


def _tell(objects: dict[Address, bool], words: Iterable[str], *, names: bool) -> None:
    for word in words:
        of, object_, owner_of, owner = map(int, word.split(":"))
        objects[of, object_] = objects.get((of, object_), False) or names
        if owner_of:
            objects.setdefault((owner_of, owner), False)


def _with_settled(noted: NotedRows, snapshot: str) -> NotedRows:
    """The same with a later horizon: every transaction of others before it has ended."""
    _, ended, running = snapshot.split(":")
    horizon = min(map(int, running.split(",")), default=0) if running else 0
    horizon = (horizon or int(ended)) % _XIDS
    catalogs = {
        name: _moved(each, horizon, keyed=bool(_BY_NAME[name].key))
        for name, each in noted.catalogs.items()
    }
    return replace(noted, horizon=str(horizon), catalogs=catalogs)


def _moved(rows: CatalogRows, horizon: int, *, keyed: bool) -> CatalogRows:
    if not rows.young:
        return rows
    settled = {key: told for key, told in rows.settled.items() if key not in rows.absent}
    young, total = set[str](), rows.total
    for word in rows.young:
        key, _, xmin, told = word.split(":", 3)
        if 0 <= (int(xmin) - horizon) % _XIDS < _XIDS // 2:
            young.add(word)
        elif keyed:
            settled[int(key)] = told
            total ^= int(key)
    return CatalogRows(settled=settled, young=frozenset(young), absent=frozenset(), total=total)
