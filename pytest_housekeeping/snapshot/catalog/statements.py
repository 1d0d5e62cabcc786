"""The queries of a fingerprint as statements that stay prepared in a session.

PostgreSQL plans them once, and whoever reads often has that for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.session import Row, named, results
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.queries.system import VERSIONS
from pytest_housekeeping.snapshot.queries.table import AFTER_ANY_CHANGE, ALWAYS, Query, queries_for


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a fingerprint holds: all schemas but those excluded, and so much around them."""

    excluded: tuple[str, ...]
    around: Around


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A query, and what it is prepared as: for everything, and for some objects."""

    place: int
    query: Query
    whole: str
    confined: str

    def executed(self, among: Mapping[str, Iterable[int]] | None) -> str:
        if among is None or not self.query.each:
            return f"EXECUTE {named(self.whole)}"
        oids = ",".join(map(str, sorted(among.get(self.query.each, ()))))
        return f"EXECUTE {named(self.confined)} ('{{{oids}}}')"


@dataclass(frozen=True, kw_only=True)
class ReadAgain:
    """What a reading of another database has asked: of objects of which ``catalogs``, with rows in
    which catalogs ``there``."""

    catalogs: frozenset[str]
    there: frozenset[str]

    def asks(self, query: Query, there: frozenset[str] | None) -> bool:
        reasons = {ALWAYS, AFTER_ANY_CHANGE, *self.catalogs}
        concerned = query.each in self.catalogs or reasons.intersection(query.asked)
        may_find = there is None or query.may_find(there | self.there)
        return bool(concerned) and may_find


@lru_cache(maxsize=8)
def statements(scope: Scope) -> tuple[Statement, ...]:
    excluded = sql.Literal(list(scope.excluded)).as_string()
    return tuple(
        Statement(
            place=place,
            query=query,
            whole=query.whole(excluded),
            confined=query.confined(excluded),
        )
        for place, query in enumerate(queries_for(scope.around))
    )


@lru_cache(maxsize=16)
def prepared(asked: tuple[Statement, ...], *, confined: bool = False) -> Mapping[str, str]:
    """What prepares each, by its name: for everything, or ``confined`` to some objects where it can
    be."""
    found = {}
    for each in asked:
        if confined and each.query.each:
            few = named(each.confined)
            found[few] = f"PREPARE {few} (oid[]) AS {each.confined}"
        else:
            whole = named(each.whole)
            found[whole] = f"PREPARE {whole} AS {each.whole}"
    return found


Answers: TypeAlias = Sequence[tuple[Statement, list[Row]]]


def answered(
    connection: Connection,
    asked: Sequence[Statement],
    among: Mapping[str, Iterable[int]] | None = None,
    there: Collection[str] | None = None,
) -> Answers:
    """What they find, in one round trip; ``among`` the objects of these catalogs alone. Not asked
    is what finds nothing where no more than ``there`` have rows of users."""
    ask = [each for each in asked if each.query.may_find(there)]
    found = results(connection, [each.executed(among) for each in ask]) if ask else ()
    return [*zip(ask, found, strict=True), *_nothing(asked, there)]


def _nothing(asked: Sequence[Statement], there: Collection[str] | None) -> Answers:
    return [(each, []) for each in asked if not each.query.may_find(there)]


def all_answered(
    connection: Connection,
    scope: Scope,
    *,
    once: bool,
    there: Collection[str] | None = None,
    apart: Collection[Statement] = (),
) -> Answers:
    """What all of them but those ``apart`` find for everything, in one round trip, or two where
    PostgreSQL's own objects are summed. Where they are asked ``once``, none of them need be
    prepared; ``there`` as `answered` has it.

    Half of a full reading are those sums, and of the databases of a server nearly all have the rows
    that it was made with. Another version of a row has another writer or another place; two
    databases have one in common only where one is a copy of the other, as CREATE DATABASE makes it,
    for a transaction writes in one of them. So what goes with the same versions was summed before.
    """
    asked = [each for each in statements(scope) if each not in apart]
    every = [each for each in asked if each.query.may_find(there)]
    summed = [each for each in every if each.query.summed]
    others = [each for each in every if not each.query.summed]
    ask = [VERSIONS] * bool(summed) + _asked(others, once=once)
    rows = list(results(connection, ask))
    versions = rows.pop(0) if summed else []
    known = str(versions[0][0]) if versions else ""
    sums = _SUMS.get(known)
    if summed and sums is None:
        sums = list(results(connection, _asked(summed, once=once)))
        if known:
            _remember(known, sums)
    found = [*zip(others, rows, strict=True), *zip(summed, sums or (), strict=True)]
    return [*found, *_nothing(asked, there)]


def _asked(asked: Sequence[Statement], *, once: bool) -> list[str]:
    return [each.whole if once else each.executed(None) for each in asked]


def _remember(versions: str, sums: Sequence[list[Row]]) -> None:
    if len(_SUMS) >= _KEPT:
        _SUMS.clear()
    _SUMS[versions] = sums


# By the versions of the rows; of each server that this process reads a few.
_SUMS: dict[str, Sequence[list[Row]]] = {}
_KEPT = 64
