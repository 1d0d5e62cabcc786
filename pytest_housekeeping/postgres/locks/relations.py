"""Locks on relations that stood before the batch: for others, these are the ones to wait for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from pytest_housekeeping.model import Lock, Scan
from pytest_housekeeping.postgres.connection import Connection

_WORD = re.compile(r"\w+")
# So many words are looked for in a text in less time than the text is cut into its own.
_FEW = 64
# The modes that conflict with ROW EXCLUSIVE, which every INSERT, UPDATE and DELETE takes:
# https://www.postgresql.org/docs/16/explicit-locking.html#LOCKING-TABLES
STRONG = {
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
}
_RELATIONS = r"""
SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
_HELD = """
SELECT relation::int8, mode FROM pg_catalog.pg_locks
WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted
AND database = (SELECT oid FROM pg_catalog.pg_database
                WHERE datname = pg_catalog.current_database())
"""
# As pg_stat_xact_user_tables has seq_scan and idx_scan. What earlier transactions of the session
# have read is counted for a while, too.
_SCANS = """
SELECT c.oid::int8, pg_catalog.pg_stat_get_xact_numscans(c.oid),
    (SELECT coalesce(sum(pg_catalog.pg_stat_get_xact_numscans(i.indexrelid)), 0)::int8
     FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid)
FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('r', 'm')"""
# Who reads a table holds a lock on it.
_SCANS_OF_LOCKED = f"{_SCANS} AND c.oid = ANY (%s::oid[])"


@dataclass(kw_only=True)
class RelationLocks:
    """The locks that this transaction took on ``relations``, by OID, since it began."""

    relations: dict[int, str]
    _held: set[tuple[int, str]] = field(default_factory=set)
    _strong_since: float | None = None
    _scanned: dict[int, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def _words(self) -> frozenset[str]:
        """The words by which a text could name one of the relations."""
        return frozenset(
            word for name in self.relations.values() for word in _WORD.findall(name.lower())
        )

    @property
    def held_s(self) -> float:
        """For how many seconds a lock that writers wait for has been held."""
        return 0.0 if self._strong_since is None else time.perf_counter() - self._strong_since

    @property
    def strong(self) -> bool:
        """Whether a lock is held that writers wait for."""
        return self._strong_since is not None

    def holds(self, oid: int, mode: str) -> bool:
        """Whether this lock was seen to be held, or the strongest."""
        return not self._held.isdisjoint(((oid, mode), (oid, "AccessExclusiveLock")))

    def may_be_named_in(self, text: str) -> bool:
        """Whether a text could lock one of the relations by naming it.

        Reading the lock table costs as much as all the locks that the batch holds: where a text
        names no relation that stood before, and runs no code that may, it need not be read.
        """
        low = text.lower()
        if len(self._words) <= _FEW and not any(map(low.__contains__, self._words)):
            return False  # of nearly every file, at once
        return not self._words.isdisjoint(_WORD.findall(low))

    def take_new(self, connection: Connection) -> tuple[Lock, ...]:
        """The locks that came since they were last read, by name."""
        if not self.relations:
            return ()
        rows = connection.execute(_HELD).fetchall()
        new = {(oid, mode) for oid, mode in rows if oid in self.relations} - self._held
        self._held |= new
        if self._strong_since is None and any(mode in STRONG for _, mode in new):
            self._strong_since = time.perf_counter()
        return tuple(
            Lock(relation=self.relations[oid], mode=mode)
            for oid, mode in sorted(new, key=lambda lock: (self.relations[lock[0]], lock[1]))
        )

    def begin_counting(self, connection: Connection) -> None:
        """What was read before this transaction does not count."""
        self._scanned = {oid: (n, m) for oid, n, m in connection.execute(_SCANS) if n or m}

    def take_scans(self, connection: Connection) -> tuple[Scan, ...]:
        """How often each locked table was read since this was last asked, by name.

        The counters of this transaction are exact, whatever the tables hold:
        https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-STATS-VIEWS
        """
        found = []
        held = sorted({oid for oid, _ in self._held})
        rows = connection.execute(_SCANS_OF_LOCKED, (held,)).fetchall() if held else []
        for oid, count, by_index in rows:
            before, by_index_before = self._scanned.get(oid, (0, 0))
            self._scanned[oid] = (count, by_index)
            if (count, by_index) != (before, by_index_before):
                scan = Scan(
                    relation=self.relations[oid],
                    count=count - before,
                    by_index=by_index - by_index_before,
                )
                found.append(scan)
        return tuple(sorted(found, key=lambda scan: scan.relation))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is taken meanwhile is given back by the caller, who rolls back."""
        held, since = set(self._held), self._strong_since
        try:
            yield
        finally:
            self._held, self._strong_since = held, since


def read_relations(connection: Connection) -> RelationLocks:
    """The relations that stand when the transaction begins; no lock counts yet."""
    return RelationLocks(relations=dict(connection.execute(_RELATIONS).fetchall()))
