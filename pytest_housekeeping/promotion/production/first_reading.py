"""Production's schema before anything is applied, read while the run looks at other things there.

To read all of a large schema takes longer than most of what is asked before the batch, and needs
none of it. So it is read in a session of its own, beside the one that looks and promotes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.production.of_fleet.handed_on import read_again_by
from pytest_housekeeping.promotion.production.of_fleet.known_schema import known_reading
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.reading_again.incremental import Reading, read_whole
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader

_ROOM = """
SELECT r.rolconnlimit < 0 AND d.datconnlimit < 0
    AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity) + 10
        < pg_catalog.current_setting('max_connections')::int
FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()"""


@dataclass(kw_only=True)
class FirstReading:
    """What ``schema`` begins with. ``opened`` is a session like the promotion's own, ``identity``
    the database that it has to lead to, ``plan`` the digest of the plan."""

    schema: SchemaReader
    opened: Callable[[], LentConnection]
    identity: TargetIdentity
    plan: str
    _known: bool = False
    _ahead: Future[Reading] | None = None
    _sessions: list[LentConnection] = field(default_factory=list)

    def __post_init__(self) -> None:
        if known := known_reading(self.identity):
            self.schema.go_on_from(known)
            self._known = True

    def begin(self, connection: Connection) -> None:
        """In a thread, unless most of it is known, or connections are scarce: pg_dump needs one."""
        if not self._known and self._ahead is None and _has_room(connection):
            worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hk-schema")
            self._ahead = worker.submit(self._read)
            worker.shutdown(wait=False)

    def fingerprint(self, connection: Connection) -> Fingerprint:
        """What was begun with, or all that is read now; the readings behind it are planned in this
        session, before anything is locked. Raises SnapshotError."""
        known = read_again_by(self.plan)
        if known is not None:
            self.schema.plan_ahead(connection, known)
            return self.schema.read(connection)
        ahead = self.ahead()
        if ahead is not None:
            self.schema.go_on_from(ahead)
        schema = self.schema.read(connection) if ahead is None else ahead.fingerprint
        self.schema.plan_ahead(connection)
        return schema

    def close(self) -> None:
        """Nobody waits for it any more."""
        if self._ahead is not None and not self._ahead.done():
            for session in self._sessions:
                with suppress(psycopg.Error):
                    session.cancel_safe()
            wait([self._ahead])

    def ahead(self) -> Reading | None:
        """What was begun with, once it is read; None where it cannot be had: a role may have no
        more than one connection, say."""
        with suppress(HousekeepingError, psycopg.Error):
            return self._ahead.result() if self._ahead is not None else None
        return None

    def _read(self) -> Reading:
        with self.opened() as session:
            self._sessions.append(session)
            if identified(session) != self.identity:
                raise ProofFailed("another database", why="it is reached by the same address")
            reading = read_whole(session, self.schema.scope, once=True)
        # What is made of it once is made here.
        _ = reading.fingerprint.digest
        return reading


def _has_room(connection: Connection) -> bool:
    row = connection.execute(_ROOM.encode()).fetchone()
    return bool(row and row[0])
