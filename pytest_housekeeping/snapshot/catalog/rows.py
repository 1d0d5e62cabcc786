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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.catalogs import CATALOGS
from pytest_housekeeping.snapshot.catalog.search import (
    ID_OF_ITS_OWN,
    Address,
    Written,
    listed,
    searched,
    searched_alone,
    searched_once,
)

# A transaction that has written so many rows has them counted as settled, where it may.
_MANY = 1000
_XIDS = 2**32
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

    @property
    def has_any(self) -> bool:
        """Whether there may be one besides those that a server is made with."""
        return bool(self.young) or not self.settled.keys() <= self.absent


@dataclass(frozen=True, kw_only=True)
class NotedRows:
    """What is there of all catalogs; ``names`` are those of roles, schemas and tablespaces.

    ``written`` is how often this transaction has written to each catalog, and how many rows more
    it has since, where that was asked.
    """

    horizon: str
    catalogs: Mapping[str, CatalogRows]
    names: Mapping[Address, str]
    written: Mapping[str, Written]

    @property
    def there(self) -> frozenset[str]:
        """The catalogs that may have rows besides those that a server is made with."""
        return frozenset(name for name, rows in self.catalogs.items() if rows.has_any)

    @property
    def may_settle(self) -> bool:
        """Whether there are so many that to count some as settled is worth its while."""
        return sum(len(each.young) for each in self.catalogs.values()) > _MANY


@dataclass(frozen=True, kw_only=True)
class ChangedRows:
    """What rows that came or went tell of.

    The objects, with whether what depends on them may be printed differently; ``renamed`` are
    roles, schemas and tablespaces that have another name or none. ``unexplained``: there is more
    than that, of PostgreSQL's own objects. ``untouched`` are catalogs that nobody wrote to.
    """

    objects: Mapping[Address, bool]
    renamed: frozenset[Address]
    unexplained: bool
    untouched: frozenset[str]


def note_rows(connection: Connection, *, once: bool = False) -> NotedRows:
    """What is there now, for `changed_rows`. Before anything else of a reading.

    ``once``: nothing is searched for again in this session.
    """
    (row,) = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text")
    horizon = str(row[0])
    if once:
        found, settled = searched_once(connection, horizon)
    else:
        found = searched(connection, horizon)
        settled = listed(connection, [each for each in CATALOGS if each.key], horizon)
    catalogs = {
        name: CatalogRows(
            settled=settled.get(name, {}), young=young, absent=frozenset(), total=total
        )
        for name, (total, young) in found.rows.items()
    }
    return NotedRows(horizon=horizon, catalogs=catalogs, names=found.names, written=found.written)


def changed_rows(
    connection: Connection,
    base: NotedRows,
    catalogs: Mapping[int, str],
    *,
    alone: bool,
    inside: bool,
) -> tuple[NotedRows, ChangedRows]:
    """What is there now, and what has changed since ``base`` was noted; ``catalogs`` by their OIDs.

    ``alone``: that was in this transaction, nobody else writes to this database since then, and it
    in nothing but savepoints that were begun later and end before. So catalogs to which it has not
    written are passed over, and what it has written before may be counted as settled, unless this
    is read ``inside`` a savepoint that goes on to write.
    """
    settle = alone and not inside and base.may_settle
    if settle:
        connection.execute(ID_OF_ITS_OWN)
    if alone:
        found = searched_alone(connection, base.horizon, base.written, catalogs)
    else:
        found = searched(connection, base.horizon)
    others = {name: row for name, row in found.rows.items() if row != _seen(base.catalogs[name])}
    unexpected = [
        _BY_NAME[name]
        for name, (total, young) in others.items()
        if total != _expected(base.catalogs[name], young)
    ]
    settled = listed(connection, unexpected, base.horizon)
    now = {
        name: _now(base.catalogs[name], total, young, settled.get(name))
        for name, (total, young) in others.items()
    }
    objects: dict[Address, bool] = {}
    for name, rows in now.items():
        _tell(objects, _changes(base.catalogs[name], rows), names=_BY_NAME[name].names)
    noted = NotedRows(
        horizon=base.horizon,
        catalogs={**base.catalogs, **now},
        names=found.names,
        written=found.written,
    )
    renamed = (each for each, name in base.names.items() if found.names.get(each) != name)
    changed = ChangedRows(
        objects=objects,
        renamed=frozenset(renamed),
        unexplained=any(not _explained(base.catalogs[name], now[name]) for name in settled),
        untouched=_untouched(base.written, found.written),
    )
    return (_with_settled(noted, found.snapshot) if settle else noted), changed


def _untouched(before: Mapping[str, Written], now: Mapping[str, Written]) -> frozenset[str]:
    return frozenset(name for name, count in before.items() if now.get(name) == count)


def _seen(was: CatalogRows) -> tuple[int, frozenset[str]]:
    """As a search would tell of it, if nothing has changed."""
    return was.total, was.young


def _replaced(was: CatalogRows, young: frozenset[str]) -> set[int]:
    """The settled rows that rows written since replace."""
    keys = {int(word.partition(":")[0]) for word in young - was.young}
    return {key for key in keys if key in was.settled} - was.absent


def _expected(was: CatalogRows, young: frozenset[str]) -> int:
    """The sum of the settled rows, if none has gone but those that are replaced."""
    return reduce(xor, _replaced(was, young), was.total)


def _now(
    was: CatalogRows, total: int, young: frozenset[str], there: Mapping[int, str] | None
) -> CatalogRows:
    """``there`` are the settled rows that are there, where the sum does not tell."""
    if there is None:
        absent = was.absent | _replaced(was, young)
        return replace(was, young=young, absent=absent, total=total)
    # What a transaction had deleted is there again when that is rolled back.
    settled = {**was.settled, **there} if there.keys() - was.settled.keys() else was.settled
    absent = frozenset(settled.keys() - there.keys())
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
