"""What files that only drop take away, told by the rows that are gone: without a reading of each.

How often a transaction has written to a catalog, and how many rows more it has, is counted. Where
it has fewer by as many as were written, rows were deleted and nothing else; and where as many of
those that were noted are not in their places any more, these are the ones. So the objects whose own
row is gone are, and those that such a row told of besides are read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.search import Address, Written, counted
from pytest_housekeeping.snapshot.catalog.session import OF_FEW, reading_alone
from pytest_housekeeping.snapshot.catalog.statements import answered, prepared, statements
from pytest_housekeeping.snapshot.fingerprint import SchemaObject
from pytest_housekeeping.snapshot.reading_again.found_objects import by_address
from pytest_housekeeping.snapshot.reading_again.incremental import Reading

# Who depends on what, and may do what with it, goes with the objects.
WITH_OBJECTS = frozenset(("pg_depend", "pg_shdepend"))
# The catalogs whose objects are told one by one, and those of their parts. Any other is told by a
# query that is asked as a whole.
ONE_BY_ONE = frozenset(("pg_class", "pg_type", "pg_proc"))
PARTS = frozenset(
    ("pg_attrdef", "pg_constraint", "pg_policy", "pg_rewrite", "pg_statistic_ext", "pg_trigger")
)
# A default that goes is taken from its column before, and tells of the table if that stays.
_EMPTIED_FIRST = "pg_attribute"
_MISSING = """
SELECT '{0}', (SELECT pg_catalog.string_agg(c.ctid::pg_catalog.text, ' ')
    FROM pg_catalog.{0} AS c WHERE c.ctid OPERATOR(pg_catalog.=) ANY ('{{{1}}}'::pg_catalog.tid[]))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenAway:
    """The objects of the fingerprint that one file has taken away, and nothing is otherwise;
    it was made of so many ``objects`` of the catalogs, and ``near`` are those that stay and that a
    row which is gone told of."""

    entries: frozenset[SchemaObject]
    objects: int
    near: frozenset[Address]


@dataclass(frozen=True, kw_only=True, slots=True)
class _NotedRow:
    """A row by its place, the object that it tells of, and whose part that is."""

    place: str
    object: Address
    owner: Address | None


@dataclass(kw_only=True)
class Dwindling:
    """A schema that was read at the ``start``, in this session and this transaction, with what its
    savepoints have written noted row by row; and what each file takes away from it.

    ``put_back`` are the statements that make the session what it was.
    """

    connection: Connection
    start: Reading
    put_back: str
    each: dict[Address, tuple[SchemaObject, ...]] = field(init=False)
    _rows: dict[str, list[_NotedRow]] = field(init=False)
    _of_extensions: frozenset[Address] = field(init=False)
    _written: Mapping[str, Written] = field(init=False)
    _prepared: bool = False

    def __post_init__(self) -> None:
        self.each = dict(self.start.each)
        noted = self.start.rows.catalogs
        self._rows = {
            name: sorted(map(_noted, rows.young), key=lambda row: row.object[1])
            for name, rows in noted.items()
            if name not in WITH_OBJECTS
        }
        depending = map(_noted, noted["pg_depend"].young)
        self._of_extensions = frozenset(row.object for row in depending if row.owner)
        self._written = counted(self.connection, self.start.catalogs)

    def next(self) -> TakenAway | None:
        """What has gone since the start, or since this was asked last. None where more has happened
        than that, or nobody can tell: then it cannot be asked again."""
        fewer = self._fewer()
        gone = self._gone(fewer) if fewer else None
        if not gone:
            return None
        names = self.start.catalogs
        own = {
            row.object
            for name, rows in gone.items()
            for row in rows
            if names[row.object[0]] == name
        }
        told = {
            of for rows in gone.values() for row in rows for of in (row.object, row.owner) if of
        }
        near = frozenset(told - own)
        if (
            {names[catalog] for catalog, _ in own} - ONE_BY_ONE - PARTS
            or {names[catalog] for catalog, _ in near} - ONE_BY_ONE
            or own & self._of_extensions
        ):
            return None
        entries = set(chain.from_iterable(self.each.pop(address, ()) for address in own))
        for address, left in self._read(near).items():
            was = frozenset(self.each.get(address, ()))
            if not was.issuperset(left):
                return None
            entries |= was.difference(left)
            self.each[address] = left
        if not entries:
            return None
        return TakenAway(entries=frozenset(entries), objects=len(own), near=near)

    def _fewer(self) -> Mapping[str, int] | None:
        """How many rows each catalog has lost; None where anything was written besides."""
        before, self._written = (
            self._written,
            counted(self.connection, self.start.catalogs),
        )
        fewer = dict[str, int]()
        for name, (often, more) in self._written.items():
            often_before, more_before = before.get(name, (0, 0))
            lost = more_before - more
            if often - often_before != lost and name != _EMPTIED_FIRST:
                return None
            if lost and name not in WITH_OBJECTS:
                fewer[name] = lost
        return fewer if fewer.keys() <= self._rows.keys() else None

    def _gone(self, fewer: Mapping[str, int]) -> Mapping[str, list[_NotedRow]] | None:
        """The noted rows that are gone, where they are all that is. Mostly the newest are."""
        gone = self._missing({name: self._rows[name][-lost:] for name, lost in fewer.items()})
        others = [name for name, lost in fewer.items() if len(gone[name]) != lost]
        for name in fewer.keys() - others:
            del self._rows[name][-fewer[name] :]
        for name, rows in self._missing({name: self._rows[name] for name in others}).items():
            if len(rows) != fewer[name]:
                return None
            gone[name], places = rows, {row.place for row in rows}
            self._rows[name] = [row for row in self._rows[name] if row.place not in places]
        return gone

    def _missing(self, asked: Mapping[str, list[_NotedRow]]) -> dict[str, list[_NotedRow]]:
        if not asked:
            return {}
        texts = (
            _MISSING.format(name, ",".join(f'"{row.place}"' for row in rows))
            for name, rows in asked.items()
        )
        found = self.connection.execute(" UNION ALL ".join(texts).encode()).fetchall()
        there = {name: frozenset((places or "").split()) for name, places in found}
        return {
            name: [row for row in rows if row.place not in there[name]]
            for name, rows in asked.items()
        }

    def _read(self, addresses: Iterable[Address]) -> Mapping[Address, tuple[SchemaObject, ...]]:
        among: dict[str, list[int]] = {}
        for catalog, oid in addresses:
            among.setdefault(self.start.catalogs[catalog], []).append(oid)
        if not among:
            return {}
        every = statements(self.start.scope)
        asked = [each for each in every if each.query.each in among]
        answers = reading_alone(
            self.connection,
            lambda: answered(self.connection, asked, among),
            planning=OF_FEW,
            prepared={} if self._prepared else prepared(every, confined=True),
            put_back=self.put_back,
        )
        self._prepared = True
        found = dict(by_address(answers, self.start.catalogs, self.start.surroundings))
        return {address: found.get(address, ()) for address in addresses}


def _noted(word: str) -> _NotedRow:
    _, place, _, catalog, oid, of, owner = word.split(":")
    return _NotedRow(
        place=place,
        object=(int(catalog), int(oid)),
        owner=(int(of), int(owner)) if of != "0" else None,
    )
