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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import pairwise
from operator import attrgetter
from time import monotonic
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.snapshot.around_queries import AROUND_QUERIES
from pytest_housekeeping.snapshot.canonical import canonical
from pytest_housekeeping.snapshot.column_order import column_orders
from pytest_housekeeping.snapshot.coverage import VERSION, Around, beyond
from pytest_housekeeping.snapshot.database_queries import DATABASE_QUERIES
from pytest_housekeeping.snapshot.object_queries import OBJECT_QUERIES
from pytest_housekeeping.snapshot.privileges import describe_acl, read_every_privilege
from pytest_housekeeping.snapshot.problems import SnapshotError
from pytest_housekeeping.snapshot.relation_queries import RELATION_QUERIES
from pytest_housekeeping.snapshot.server_queries import SERVER_QUERIES
from pytest_housekeeping.snapshot.system_queries import SYSTEM_QUERIES

_PATIENCE = 3.0  # seconds
# Somebody drops or holds what is being read: it may be readable a moment later.
PASSING = (
    psycopg.errors.InternalError_,
    psycopg.errors.UndefinedObject,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)
# Whatever an expression prints, it prints the same for every session. Everything that the queries
# call is found in pg_catalog alone, and temporary tables hide nothing.
_SETTINGS = """
SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off;
SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres; SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = hex; SET LOCAL xmlbinary = base64;
SET LOCAL lc_monetary = 'C'; SET LOCAL standard_conforming_strings = on"""
# Reading a view's text locks its tables one after the other, and may meet a DROP that goes the
# other way. Giving up before deadlock_timeout (1 s) keeps PostgreSQL from ending the transaction
# of the other.
_POLITENESS = "SET LOCAL lock_timeout = '250ms'"
# A catalog that has just grown has no statistics: joins that look at each pair of rows would be
# chosen, and take minutes.
_PLANNING = """
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off;
SET LOCAL work_mem = '64MB'"""
_QUERIES = (
    (Around.NOTHING, (*RELATION_QUERIES, *OBJECT_QUERIES, *DATABASE_QUERIES)),
    (Around.DATABASE, AROUND_QUERIES),
    (Around.SYSTEM, SYSTEM_QUERIES),
    (Around.SERVER, SERVER_QUERIES),
)
_BEFORE = f"{_SETTINGS};{_PLANNING};{_POLITENESS}"


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

    @property
    def sha256(self) -> str:
        return sha256(self.text.encode()).hexdigest()


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

    def without(self, *kinds: str) -> Fingerprint:
        """The same without the objects of these kinds: ``without("database")``, say."""
        starts = tuple(f"{kind} " for kind in kinds)
        kept = (e for e in self.entries if not f"{e.name} ".startswith(starts))
        return replace(self, entries=tuple(kept))

    def with_no_more(self, around: Around) -> Fingerprint:
        """The same with no more than that around the schema."""
        return self.without(*beyond(around))


def read_fingerprint(
    connection: Connection,
    *,
    exclude_schemas: tuple[str, ...] = ("housekeeping",),
    prepared: bool = False,
    around: Around = Around.ALL,
) -> Fingerprint:
    """The fingerprint of the database, uncommitted changes of an open transaction included.

    Nothing stays changed, and any role may do it: it reads the catalog alone, in two round trips.
    Outside a transaction it is read in one of its own. Reading a view's text takes ACCESS SHARE
    locks on its tables, which are given back. Who reads many times has the queries ``prepared``:
    they stay so in the session, and PostgreSQL plans them once. Raises SnapshotError when the
    catalog cannot be read: somebody holds such a table for seconds, or goes on dropping what is
    just being read.
    """
    try:
        queries = _queries(exclude_schemas, around)
        every, superuser, rows = _read_again(connection, queries, prepared)
    except psycopg.Error as error:
        raise SnapshotError(
            f"the schema could not be read: {error.diag.message_primary or error}",
            why="without its fingerprint no change of the schema would be noticed",
            fix="see who changes the schema at this moment (pg_stat_activity), and run again",
        ) from error
    return Fingerprint(
        entries=_sorted(_entries(rows, every)),
        server_major=connection.info.server_version // 10000,
        superuser=superuser,
        excluded=tuple(sorted(exclude_schemas)),
    )


def _sorted(entries: Iterable[SchemaObject]) -> tuple[SchemaObject, ...]:
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


def _read_again(
    connection: Connection, queries: Mapping[str, str], prepared: bool
) -> tuple[Mapping[str, str], str, list[tuple[Any, ...]]]:
    """Read, and try again for some seconds when somebody drops or holds what is being read."""
    asked = [f"EXECUTE {name}" for name in queries] if prepared else list(queries.values())
    until = monotonic() + _PATIENCE
    while True:
        try:
            with _inside_transaction(connection), rolled_back(connection):
                connection.execute(_BEFORE)
                return (
                    read_every_privilege(connection),
                    _superuser(connection),
                    list(_rows(connection, asked)),
                )
        except (*PASSING, psycopg.errors.InvalidSqlStatementName):
            if monotonic() > until:
                raise
            if prepared:
                _prepare(connection, queries)


@contextmanager
def _inside_transaction(connection: Connection) -> Iterator[None]:
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")


def _superuser(connection: Connection) -> str:
    row = connection.execute("SELECT pg_get_userbyid(10)").fetchone()
    return str(row[0]) if row else "postgres"


@lru_cache(maxsize=8)
def _queries(excluded: tuple[str, ...], around: Around) -> Mapping[str, str]:
    """The queries by the names that they are prepared under, which say what they are."""
    literal = sql.Literal(list(excluded)).as_string()
    texts = [
        query.replace(":excluded", literal)
        for each, queries in _QUERIES
        if each in around
        for query in queries
    ]
    return {f"hk_{sha256(text.encode()).hexdigest()[:24]}": text for text in texts}


def _prepare(connection: Connection, queries: Mapping[str, str]) -> None:
    """Prepare the queries that the session lacks: a file may have said DEALLOCATE ALL."""
    with _inside_transaction(connection), rolled_back(connection):
        connection.execute(_BEFORE)
        known = connection.execute("SELECT name FROM pg_prepared_statements").fetchall()
        missing = queries.keys() - {name for (name,) in known}
        connection.execute(
            ";".join(f"PREPARE {name} AS {queries[name]}" for name in missing).encode()
        )


def _rows(connection: Connection, statements: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """All queries in one round trip: the simple protocol takes several statements at once."""
    cursor = connection.execute(";\n".join(statements).encode())
    while True:
        yield from cursor.fetchall()
        if not cursor.nextset():
            return


def _entries(rows: Sequence[tuple[Any, ...]], every: Mapping[str, str]) -> Iterator[SchemaObject]:
    for name, parent, text in column_orders(rows):
        yield SchemaObject(name=name, parent=parent, text=text)
    for kind, name, parent, printed, letter, acl, *first in rows:
        text = canonical(printed) if "(ARRAY[" in printed else printed
        if letter is not None:
            letters = every.get(letter, "")
            was, owner = first if len(first) == 2 else (None, "")
            granted = describe_acl(tuple(acl or ()), letters, owner)
            if was is not None and granted == describe_acl(tuple(was), letters, owner):
                continue
            text = "\n".join((text, *granted) if text else granted)
        told, parts = text, ""
        if kind == "digest of system":
            told, _, parts = text.partition("\n")
        whole = f"{kind} {name}" if name else kind
        yield SchemaObject(name=whole, parent=parent, text=told, parts=parts)
