"""What a schema consists of, object by object, in a form in which equal schemas are equal.

Why equal digests mean equal schemas: each text is printed by PostgreSQL itself, by the functions
from which pg_dump makes its SQL
(https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-CATALOG), with every setting
that could change it pinned, names in full and no OID. So two texts differ where what they would
make differs. Outside of a transaction all queries read one snapshot
(https://www.postgresql.org/docs/16/transaction-iso.html#XACT-REPEATABLE-READ); inside the
promotion's own, what it has not committed yet is read as well. Rows, statistics and how a table
lies on disk are no part of a schema and are not read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from operator import attrgetter

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.canonical import canonical
from pytest_housekeeping.snapshot.catalog.session import Row, reading
from pytest_housekeeping.snapshot.catalog.statements import (
    Scope,
    all_answered,
    prepared,
    statements,
)
from pytest_housekeeping.snapshot.column_order import column_orders
from pytest_housekeeping.snapshot.coverage import VERSION, Around, beyond
from pytest_housekeeping.snapshot.privileges import (
    describe_acl,
    grantor_at_first,
    read_every_privilege,
)
from pytest_housekeeping.snapshot.problems import SnapshotError
from pytest_housekeeping.snapshot.queries.table import Query


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaObject:
    """One object: its kind and name as one would type it, what it goes with, and its text.

    Where the text is a digest of many, ``parts`` helps to name the one that differs. It does not
    count: it may hold some that are as they were.
    """

    name: str
    parent: str
    text: str
    parts: str = field(default="", compare=False)

    def __reduce__(self) -> tuple[Callable[..., SchemaObject], tuple[str, ...]]:
        """Kept for others by the thousand: field by field, as dataclasses do it, takes long."""
        return _of_fields, (self.name, self.parent, self.text, self.parts)

    @property
    def sha256(self) -> str:
        return sha256(self.text.encode()).hexdigest()


def _of_fields(name: str, parent: str, text: str, parts: str) -> SchemaObject:
    return SchemaObject(name=name, parent=parent, text=text, parts=parts)


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A schema, and what is around it, as sorted entries. Two are equal when their digests are.

    ``server_major`` is where it was read, ``superuser`` the role that made that server, and
    ``version`` that of the reading; none of them counts for the digest.
    """

    entries: tuple[SchemaObject, ...]
    server_major: int
    superuser: str = "postgres"
    excluded: tuple[str, ...] = ()
    version: int = VERSION

    @cached_property
    def digest(self) -> str:
        """sha256 over the names and texts of all objects. PostgreSQL has no text with a NUL."""
        parts = [part for entry in self.entries for part in (entry.name, entry.text)]
        return sha256("\0".join(parts).encode()).hexdigest()

    def is_as(self, other: Fingerprint) -> bool:
        """Whether the digests are equal, in no time where most objects are the very same."""
        return self.entries == other.entries or self.digest == other.digest

    @property
    def texts(self) -> dict[str, str]:
        """The text of each object by its name."""
        return {entry.name: entry.text for entry in self.entries}

    def of_kind(self, kind: str) -> tuple[SchemaObject, ...]:
        """The objects of a kind with names: "extension", say."""
        start, end = (
            bisect_left(self.entries, bound, key=attrgetter("name"))
            for bound in (f"{kind} ", f"{kind}!")
        )
        return self.entries[start:end]

    def without(self, *kinds: str) -> Fingerprint:
        """The same without the objects of these kinds: ``without("database")``, say."""
        kept, name, at = list[SchemaObject](), attrgetter("name"), 0
        # Sorted by name, those of a kind follow each other: what begins with "table " ends before
        # the next letter behind the blank.
        bounds = [(kind, f"{kind}\0") for kind in kinds]
        bounds += [(f"{kind} ", f"{kind}!") for kind in kinds]
        for first, beyond_last in sorted(bounds):
            start = bisect_left(self.entries, first, lo=at, key=name)
            kept += self.entries[at:start]
            at = bisect_left(self.entries, beyond_last, lo=start, key=name)
        return replace(self, entries=(*kept, *self.entries[at:]))

    def with_no_more(self, around: Around) -> Fingerprint:
        """The same with no more than that around the schema."""
        return self.without(*beyond(around))


def read_fingerprint(
    connection: Connection,
    *,
    exclude_schemas: tuple[str, ...] = ("housekeeping",),
    around: Around = Around.ALL,
    once: bool = False,
) -> Fingerprint:
    """The fingerprint of the database, uncommitted changes of an open transaction included.

    Nothing stays changed, and any role may do it: it reads the catalog alone, in few round trips.
    Outside a transaction it is read in one of its own. Reading a view's text takes ACCESS SHARE
    locks on its tables, which are given back. Its queries stay prepared in the session, unless it
    is read ``once`` in it. Who reads more than once reads what has changed (`incremental`). Raises
    SnapshotError when the catalog cannot be read: somebody holds such a table for seconds, or goes
    on dropping what is just being read.
    """
    scope = Scope(excluded=exclude_schemas, around=around)

    def read() -> tuple[Surroundings, list[Row]]:
        surroundings = read_surroundings(connection)
        answers = all_answered(connection, scope, once=once)
        return surroundings, [row for asked, rows in answers for row in plain(asked.query, rows)]

    known = {} if once else prepared(statements(scope))
    surroundings, rows = reading(connection, read, prepared=known)
    return Fingerprint(
        entries=in_order(entries_of(rows, surroundings.letters)),
        server_major=connection.info.server_version // 10000,
        superuser=surroundings.superuser,
        excluded=tuple(sorted(exclude_schemas)),
    )


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the rows are read with: the letters of all privileges of each kind of object, and the
    role that made the server."""

    letters: Mapping[str, str]
    superuser: str


def read_surroundings(connection: Connection) -> Surroundings:
    letters = read_every_privilege(connection)
    row = connection.execute("SELECT pg_get_userbyid(10)").fetchone()
    return Surroundings(letters=letters, superuser=str(row[0]) if row else "postgres")


def plain(query: Query, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows without the address of their object at the end."""
    ends = -2 if query.addressed else -1 if query.each else None
    return (row[:ends] for row in rows)


def in_order(entries: Iterable[SchemaObject]) -> tuple[SchemaObject, ...]:
    """Sorted by name. Raises SnapshotError for two objects of one name."""
    found = tuple(sorted(entries, key=attrgetter("name", "text")))
    for one, other in pairwise(found):
        if one.name == other.name:
            raise SnapshotError(
                f"the schema was read with two objects of one name: {one.name}",
                why="two fingerprints are compared by name, so a change of one would go unseen",
                fix="rename one of them; if they are one object, report this as an error of the"
                " tool, with the name",
            )
    return found


def entries_of(rows: Sequence[Row], letters_of: Mapping[str, str]) -> Iterator[SchemaObject]:
    """The objects that some rows tell of; all rows of a table's columns have to be among them."""
    for name, parent, text in column_orders(rows):
        yield SchemaObject(name=name, parent=parent, text=text)
    for kind, name, parent, printed, letter, acl, *first in rows:
        text = canonical(printed) if "(ARRAY[" in printed else printed
        if letter is not None:
            letters = letters_of.get(letter, "")
            was, owner = first if len(first) == 2 else (None, "")
            granted = describe_acl(tuple(acl or ()), letters, owner)
            if was is not None and granted == describe_acl(
                tuple(was), letters, grantor_at_first(was)
            ):
                continue
            text = "\n".join((text, *granted) if text else granted)
        told, parts = text, ""
        if kind == "digest of system":
            told, _, parts = text.partition("\n")
        whole = f"{kind} {name}" if name else kind
        yield SchemaObject(name=whole, parent=parent, text=told, parts=parts)
