"""Whether a server is the primary, and the timeline that it writes: what tells it from its copies.

A standby and a physical copy have the system identifier of the server that they were made from.
When either begins to write by itself in the place of the other, by a promotion or a recovery to a
point in time, its timeline is a new one:
https://www.postgresql.org/docs/16/continuous-archiving.html#BACKUP-TIMELINES
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import psycopg
from psycopg.pq import TransactionStatus

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.postgres.connection import Connection, locate, rolled_back

_TIMELINES = (
    # The first eight digits of a WAL file's name. Aurora, whose storage is not PostgreSQL's, has
    # no such position unless wal_level is logical: error 55000.
    "SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)",
    # The control file gets the new one only with the checkpoint that follows a promotion.
    "SELECT pg_catalog.to_hex(timeline_id) FROM pg_catalog.pg_control_checkpoint()",
)


def is_standby(connection: Connection) -> bool:
    """Whether the server replays what another one writes, or is still being recovered."""
    row = connection.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    return row is not None and bool(row[0])


def identified(connection: Connection) -> TargetIdentity:
    """Where the connection leads, with the timeline that tells it from its copies.

    Raises ProofFailed when the connection is lost.
    """
    return replace(locate(connection), timeline=timeline_of(connection))


def timeline_of(connection: Connection) -> int | None:
    """The timeline that a primary writes, None where the server does not tell this role.

    An open transaction goes on as it was. Raises ProofFailed when the connection is lost.
    """
    for query in _TIMELINES:
        idle = connection.info.transaction_status is TransactionStatus.IDLE
        try:
            with nullcontext() if idle else rolled_back(connection):
                row = connection.execute(query.encode()).fetchone()
        except psycopg.Error as error:
            if connection.closed:
                raise ProofFailed(
                    f"the connection was lost while the server was asked for its timeline: {error}",
                    why="the server that answers next may be another one",
                    fix="check the server and the network, and run again",
                ) from None
            continue
        if row and row[0]:
            return int(row[0], 16)
    return None
