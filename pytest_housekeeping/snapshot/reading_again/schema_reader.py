"""Whoever reads one schema several times: in full once, then what has changed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from operator import attrgetter

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.catalog.search import PUBLIC
from pytest_housekeeping.snapshot.catalog.statements import ReadAgain, Scope
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, in_order
from pytest_housekeeping.snapshot.reading_again.incremental import (
    Reading,
    plan_ahead,
    read_again,
    read_whole,
)

# By the words of pg_dump.
_DUMPED = {"security-labels": "pg_seclabel", "publications": "pg_publication"}
_PUBLIC, _AS_MADE = "schema public", "comment: 'standard public schema'"


@dataclass(kw_only=True)
class SchemaReader:
    """Reads the schema of one database, over any of its connections, in any transaction."""

    scope: Scope
    again: frozenset[str] = frozenset()
    """The catalogs of which objects were read again."""
    _last: Reading | None = None
    _fingerprint: Fingerprint | None = None

    @property
    def absent_kinds(self) -> tuple[str, ...]:
        """The kinds of objects, by the words of pg_dump, of which the database has none as it was
        read last. pg_dump is told not to look for them: nearly all comments are PostgreSQL's own,
        and to go through them takes long."""
        if self._last is None:
            return ()
        there = self._last.rows.there
        none = tuple(word for word, catalog in _DUMPED.items() if catalog not in there)
        return none if self._has_comments else ("comments", *none)

    @property
    def _has_comments(self) -> bool:
        """Whether there is any but the one that the schema public is made with. Where that one is
        gone, a dump says so: it counts as one then."""
        last, known = self._last, self._fingerprint
        if last is None or known is None:
            return True
        rows = last.rows.catalogs["pg_description"]
        of = {told for key, told in rows.settled.items() if key not in rows.absent}
        names = [each.name for each in known.entries]
        place = bisect_left(names, _PUBLIC)
        public = known.entries[place].text if names[place : place + 1] == [_PUBLIC] else _AS_MADE
        catalog = next(oid for oid, name in last.catalogs.items() if name == "pg_namespace")
        as_made = _AS_MADE in public.splitlines() and of <= {f"{catalog}:{PUBLIC}:0:0"}
        return bool(rows.young) or not as_made

    def go_on_from(self, reading: Reading) -> None:
        """It was read of this very database before, in this scope."""
        self._last, self._fingerprint = reading, reading.fingerprint

    def plan_ahead(self, connection: Connection, known: ReadAgain | None = None) -> None:
        """Before anything is locked: the next readings are quicker, where it is ``known`` what they
        ask in what they are known for alone."""
        there = self._last.rows.there if self._last is not None else None
        plan_ahead(connection, self.scope, there, known)

    @property
    def asked(self) -> ReadAgain:
        """What was asked here, for whoever plans ahead on another database."""
        there = self._last.rows.there if self._last is not None else frozenset[str]()
        return ReadAgain(catalogs=self.again, there=there)

    def read(self, connection: Connection) -> Fingerprint:
        """As ``read_fingerprint`` does; the very same object where nothing has changed."""
        last, known = self._last, self._fingerprint
        if last is None or known is None:
            self._last = read_whole(connection, self.scope)
            self._fingerprint = self._last.fingerprint
            return self._fingerprint
        self._last = now = read_again(connection, last)
        self.again |= now.again
        gone, came = last.apart(now)
        if gone.entries or came.entries:
            self._fingerprint = known = _moved(known, gone, came)
        return known


def _moved(known: Fingerprint, gone: Fingerprint, came: Fingerprint) -> Fingerprint:
    """The fingerprint without the objects that are ``gone``, and with those that ``came`` in their
    places. Raises SnapshotError for two of one name."""
    names = {entry.name for entry in gone.entries}
    entries = [entry for entry in known.entries if entry.name not in names]
    for entry in came.entries:
        place = bisect_left(entries, entry.name, key=attrgetter("name"))
        in_order([*entries[place : place + 1], entry])
        entries.insert(place, entry)
    return replace(known, entries=tuple(entries))
