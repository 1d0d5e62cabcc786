"""Whether a server is the primary, and the timeline that it writes: what tells it from its copies.

A standby and a physical copy have the system identifier of the server that they were made from.
When either begins to write by itself in the place of the other, by a promotion or a recovery to a
point in time, its timeline is a new one:
https://www.postgresql.org/docs/16/continuous-archiving.html#BACKUP-TIMELINES
"""

from __future__ import annotations

from pytest_housekeeping.postgres.connection import Connection

# The first eight digits of a WAL file's name. The control file has the timeline as well, but gets
# the new one only with the checkpoint that follows a promotion.
_TIMELINE = (
    "SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)"
)


def is_standby(connection: Connection) -> bool:
    """Whether the server replays what another one writes, or is still being recovered."""
    row = connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    return row is not None and bool(row[0])


def timeline_of(connection: Connection) -> int:
    """The timeline that a primary writes; every role may ask. Raises psycopg.Error on a standby."""
    row = connection.execute(_TIMELINE).fetchone()
    return int(row[0], 16) if row else 0
