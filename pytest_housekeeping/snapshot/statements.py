"""The queries of a fingerprint as statements that stay prepared in a session.

PostgreSQL plans them once, and whoever reads often has that for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog_session import Row, named, results
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.query_table import Query, queries_for


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
) -> Answers:
    """What they find, in one round trip; ``among`` the objects of these catalogs alone."""
    found = results(connection, [each.executed(among) for each in asked])
    return list(zip(asked, found, strict=True))
