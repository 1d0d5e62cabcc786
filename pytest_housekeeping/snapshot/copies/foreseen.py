"""A kept copy that a server begins with, by its key, and the reading that was made of it.

A copy is read whenever a server begins with it: by the key of what was dumped, or ahead of that by
the key under which a copy was kept of the schema that is on record in production.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import psycopg
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import Beginning, StagingDatabase
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING, Reading, read_whole

# Said by the session, so that settings of the restored database do not count: a read-only one, a
# library that this server does not have.
_OPTIONS = (
    "-c default_transaction_read_only=off -c session_preload_libraries= "
    "-c local_preload_libraries= -c statement_timeout=0 -c lock_timeout=0 -c role=none"
)


@dataclass(frozen=True, kw_only=True)
class ForeseenCopy:
    """The copy of a ``key``. ``readings`` is empty until a server has begun with it; then it has
    the reading by which it was compared with what was kept, until somebody takes that out."""

    key: str
    major: int
    readings: list[Reading] = field(default_factory=list)

    @property
    def beginning(self) -> Beginning:
        return Beginning(keys=(self.key,), differs=self._differs)

    def _differs(self, database: StagingDatabase, about: Mapping[str, str]) -> str:
        try:
            reading = read_copy(copy_conninfo(database, self.major))
        except (HousekeepingError, psycopg.Error, OSError) as error:
            return f"its schema could not be read: {error}"
        self.readings[:] = [reading]
        same = reading.fingerprint.digest == about.get("fingerprint")
        return "" if same else "its schema has another fingerprint"


def read_copy(conninfo: str) -> Reading:
    """All of a copy, by sessions that end."""
    with connect(conninfo) as connection:
        return read_whole(connection, EVERYTHING, once=True, beside=partial(connect, conninfo))


def copy_conninfo(database: StagingDatabase, server_major: int) -> str:
    """For the superuser who is none of the backup's roles. It may hold a password."""
    return make_conninfo(database.migrator_conninfo, options=session_options(server_major))


def session_options(server_major: int) -> str:
    return _OPTIONS + (" -c event_triggers=off" if server_major >= 17 else "")
