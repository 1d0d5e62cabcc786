"""The fingerprint once more: of what the catalogs show as changed, and the rest as it was read.

What makes that as good as a full reading, which is its oracle in the tests:

1. What has been written since the horizon is found in every catalog, whoever wrote it and in
   whichever savepoint (`catalog/rows.py`); the horizon is noted before the first reading.
2. What is gone shows in the sum of what was there before the horizon.
3. What depends on a changed object is read again with it, however far that goes; a rule, a default
   or a policy counts as what it is a part of (`dependants.py`).
4. Between two files of one transaction the written rows themselves are compared, by place and
   writer, so what a savepoint took back shows too.
5. Where too much has changed, or one of PostgreSQL's own objects, everything is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog import search as catalog_search
from pytest_housekeeping.snapshot.catalog.in_turn import InTurn, OpenedBeside, in_turn
from pytest_housekeeping.snapshot.catalog.rows import NotedRows, changed_rows, note_rows
from pytest_housekeeping.snapshot.catalog.search import Address
from pytest_housekeeping.snapshot.catalog.session import (
    OF_EVERYTHING,
    OF_FEW,
    reading,
    reading_alone,
)
from pytest_housekeeping.snapshot.catalog.statements import (
    ReadAgain,
    Scope,
    all_answered,
    answered,
    prepared,
    statements,
)
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import (
    Fingerprint,
    SchemaObject,
    Surroundings,
    in_order,
    read_surroundings,
)
from pytest_housekeeping.snapshot.queries.table import AFTER_ANY_CHANGE, ALWAYS, IN_FULL_ALONE
from pytest_housekeeping.snapshot.reading_again import dependants
from pytest_housekeeping.snapshot.reading_again.dependants import concerned_by
from pytest_housekeeping.snapshot.reading_again.found_objects import as_a_whole, by_address

_Key = TypeVar("_Key")
# Reading so many objects one by one costs about as much as reading all of them.
FEW = 100
EVERYTHING = Scope(excluded=(), around=Around.ALL)
_SHARE = 5


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A schema as it was read, with what is needed to read again what has changed since.

    ``each`` are the objects of the fingerprint by the object of the catalog that they were read
    with, ``whole`` those of the queries that are asked as a whole, by their place. In the texts of
    ``empty_arrays`` stands an array without elements: that it names a type, which may be renamed,
    PostgreSQL notes nowhere. ``again`` are the catalogs of which it was read again for an object.
    """

    scope: Scope
    server_major: int
    surroundings: Surroundings
    rows: NotedRows
    catalogs: Mapping[int, str]
    each: Mapping[Address, tuple[SchemaObject, ...]]
    whole: Mapping[int, tuple[SchemaObject, ...]]
    empty_arrays: frozenset[Address]
    again: frozenset[str] = frozenset()

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Raises SnapshotError for two objects of one name."""
        parts = [*self.each.values(), *self.whole.values()]
        return self._of(entry for part in parts for entry in part)

    def apart(self, other: Reading) -> tuple[Fingerprint, Fingerprint]:
        """The fingerprints of both without what is the same in both: to tell what differs.

        That costs what differs, not what is there.
        """
        mine, its = list[SchemaObject](), list[SchemaObject]()
        _apart(self.each, other.each, mine, its)
        _apart(self.whole, other.whole, mine, its)
        return self._of(mine), other._of(its)

    def differs_from(self, other: Reading) -> bool:
        mine, its = self.apart(other)
        return mine.entries != its.entries

    def _of(self, entries: Iterable[SchemaObject]) -> Fingerprint:
        return Fingerprint(
            entries=in_order(entries),
            server_major=self.server_major,
            superuser=self.surroundings.superuser,
            excluded=tuple(sorted(self.scope.excluded)),
        )


def read_whole(
    connection: Connection, scope: Scope, *, once: bool = False, beside: OpenedBeside | None = None
) -> Reading:
    """Everything, and what `read_again` needs. Raises as ``read_fingerprint`` does.

    ``once``: this session reads nothing else, so that nothing is worth to be prepared. Where nobody
    writes to the database, another session may be opened that reads ``beside`` it.
    """

    def read() -> Reading:
        with in_turn(scope, beside) as shared:
            return _whole(connection, scope, note_rows(connection, once=once), once, shared)

    return reading(connection, read, prepared={} if once else _prepared(scope))


def read_again(
    connection: Connection,
    base: Reading,
    *,
    alone: bool = False,
    put_back: str = "",
    is_prepared: bool = False,
) -> Reading:
    """The same as `read_whole` of the scope of ``base``, which was read before of this database.

    In the same transaction, in another one, behind its end. ``alone``: that was in this
    transaction, nobody else writes to this database since then, and it in nothing but savepoints
    that were begun later and end before. Then the search costs what one of them has written and
    not what all have. With ``put_back``, statements that make the session what it was, it is read
    inside a savepoint that has written and goes on to write; an error leaves it to be rolled back.
    ``is_prepared``: so has been read in this session before, and nothing was deallocated since.
    """

    def read() -> Reading:
        rows, changed = changed_rows(
            connection, base.rows, base.catalogs, alone=alone, inside=bool(put_back)
        )
        objects = dict(changed.objects) | dict.fromkeys(changed.renamed, True)
        concerned = frozenset[Address]()
        if objects or changed.unexplained:
            found = concerned_by(connection, objects, at_most=FEW + len(base.each) // _SHARE)
            if changed.unexplained or found.everything or _moved_tables(base, changed.renamed):
                return _whole(connection, base.scope, note_rows(connection))
            reached = found.objects if changed.renamed else _told(base, found.objects, objects)
            concerned = reached | base.empty_arrays
        return _again(connection, base, rows, concerned, changed.untouched)

    own = catalog_search.PREPARED_ALONE if alone else {}
    known = {} if is_prepared else {**_prepared(base.scope, confined=True), **own}
    if put_back:
        return reading_alone(connection, read, planning=OF_FEW, prepared=known, put_back=put_back)
    return reading(connection, read, planning=OF_FEW, prepared=known)


def plan_ahead(
    connection: Connection,
    scope: Scope,
    there: frozenset[str] | None = None,
    known: ReadAgain | None = None,
) -> None:
    """Have PostgreSQL plan what `read_again` may ask, before anybody waits for it. What only a row
    in a catalog that is not ``there`` would make it ask is parsed and not planned; where it is
    ``known`` what will be asked, no more than that is parsed: for the rest it would be then."""
    few = [
        each
        for each in statements(scope)
        if IN_FULL_ALONE not in each.query.asked
        if known is None or known.asks(each.query, there)
    ]

    def plan() -> None:
        concerned_by(connection, {}, at_most=1)
        # What is always asked the next reading plans, which follows where the rest is known.
        asked = [each for each in few if known is None or ALWAYS not in each.query.asked]
        answered(connection, asked, {}, there)

    lacking = {**_OWN, **prepared(tuple(few), confined=True)}
    reading(connection, plan, planning=OF_FEW, prepared=lacking, ahead=True)


_OWN = {**catalog_search.PREPARED, **dependants.PREPARED}


def _prepared(scope: Scope, *, confined: bool = False) -> Mapping[str, str]:
    every = statements(scope)
    return {**_OWN, **prepared(every), **(prepared(every, confined=True) if confined else {})}


_CATALOGS = """
SELECT oid, relname::text FROM pg_catalog.pg_class
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND oid < 16384"""


def _whole(
    connection: Connection,
    scope: Scope,
    rows: NotedRows,
    once: bool = False,
    shared: InTurn | None = None,
) -> Reading:
    connection.execute(OF_EVERYTHING)
    surroundings = read_surroundings(connection)
    catalogs: dict[int, str] = dict(connection.execute(_CATALOGS).fetchall())
    apart = shared.asked if shared else ()
    answers = all_answered(connection, scope, once=once, there=rows.there, apart=apart)
    if shared is not None:
        answers = [*shared.answers(connection), *answers]
    each = dict(by_address(answers, catalogs, surroundings))
    return Reading(
        scope=scope,
        server_major=connection.info.server_version // 10000,
        surroundings=surroundings,
        rows=rows,
        catalogs=catalogs,
        each=each,
        whole=dict(as_a_whole(answers, surroundings)),
        empty_arrays=_with_empty_arrays(each),
    )


def _again(
    connection: Connection,
    base: Reading,
    rows: NotedRows,
    concerned: frozenset[Address],
    untouched: frozenset[str],
) -> Reading:
    """The objects that are concerned, and the queries whose kind of objects is."""
    by_catalog: dict[str, list[int]] = {}
    for catalog, oid in concerned:
        by_catalog.setdefault(base.catalogs[catalog], []).append(oid)
    reasons = {ALWAYS, *by_catalog} | ({AFTER_ANY_CHANGE} if concerned else set())
    asked = [
        each
        for each in statements(base.scope)
        if each.query.each in by_catalog or reasons.intersection(each.query.asked)
        if not (ALWAYS in each.query.asked and each.query.catalogs <= untouched)
    ]
    answers = answered(connection, asked, by_catalog, rows.there)
    found = dict(by_address(answers, base.catalogs, base.surroundings))
    each = {address: entries for address, entries in base.each.items() if address not in concerned}
    return replace(
        base,
        rows=rows,
        each=each | found,
        whole={**base.whole, **dict(as_a_whole(answers, base.surroundings))},
        empty_arrays=base.empty_arrays - concerned | _with_empty_arrays(found),
        again=frozenset(by_catalog),
    )


def _told(
    base: Reading, objects: frozenset[Address], changed: Mapping[Address, bool]
) -> frozenset[Address]:
    """The objects without types of which nothing was told, and that have not changed themselves:
    those of tables' rows, and of arrays. Whether a type is one of these never changes; otherwise
    its own row says whether it is told, or the name of its schema."""
    types = {oid for oid, name in base.catalogs.items() if name == "pg_type"}
    return frozenset(
        each for each in objects if each[0] not in types or each in base.each or each in changed
    )


def _with_empty_arrays(each: Mapping[Address, tuple[SchemaObject, ...]]) -> frozenset[Address]:
    return frozenset(
        address
        for address, entries in each.items()
        if any("ARRAY[]" in entry.text for entry in entries)
    )


def _moved_tables(base: Reading, renamed: Iterable[Address]) -> bool:
    """Whether a tablespace was renamed: nothing notes which tables and indexes are in one."""
    return any(base.catalogs[catalog] == "pg_tablespace" for catalog, _ in renamed)


def _apart(
    here: Mapping[_Key, tuple[SchemaObject, ...]],
    there: Mapping[_Key, tuple[SchemaObject, ...]],
    mine: list[SchemaObject],
    its: list[SchemaObject],
) -> None:
    """What stands under a key in one of them alone, or otherwise in the other."""
    for key, entries in here.items():
        others = there.get(key)
        if others is not entries and others != entries:
            mine += entries
            its += others or ()
    for key in there.keys() - here.keys():
        its += there[key]
