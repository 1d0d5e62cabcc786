"""Whether two connections lead to one server, whatever addresses and identifiers say.

A physical copy has its original's system identifier, roles, schema and rows, be it on the same
timeline; and another name of the host, a proxy or another database lead to the very same server.
What two servers never share is what stands in memory. A lock that a session has just taken is seen
by every session of its server, in whatever database and as whatever role, and by none elsewhere:
https://www.postgresql.org/docs/16/view-pg-locks.html
"""

from __future__ import annotations

from secrets import randbits

import psycopg

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.connection import Connection

_BEGUN = """
SELECT system_identifier::text, pg_catalog.pg_postmaster_start_time()::text
FROM pg_catalog.pg_control_system()
"""
# A key of 64 bits stands there in two halves: objsubid 1.
_HELD = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
AND classid::bigint = %s AND objid::bigint = %s
"""


def how_they_are_one(one: Connection, other: Connection) -> str:
    """How it is known that both lead to one server; "" where they lead to two.

    Each may be in a transaction. Raises ProofFailed where nobody can tell.
    """
    try:
        system, moment = begun(one)
        if (system, moment) == begun(other):
            return f"both have the system identifier {system} and were started at {moment}"
        if _sees_lock(one, other) or _sees_lock(other, one):
            return "a lock that is taken over one connection is seen over the other"
    except psycopg.Error as error:
        raise ProofFailed(
            "whether two connections lead to one server cannot be told:"
            f" {error.diag.message_primary or type(error).__name__}",
            why="what is tried on a clone must never reach production",
            fix="let both roles read pg_catalog.pg_locks, or leave the clone out: --hk-twin=",
        ) from None
    return ""


def begun(connection: Connection) -> tuple[str, str]:
    """The system identifier of a server, and when it was started. Of no two servers both are the
    same: a copy is started at another microsecond."""
    row = connection.execute(_BEGUN).fetchone()
    return (str(row[0]), str(row[1])) if row else ("", "")


def _sees_lock(holder: Connection, looker: Connection) -> bool:
    high, low = randbits(31), randbits(32)
    key = high << 32 | low
    holder.execute("SELECT pg_catalog.pg_advisory_lock(%s::bigint)", (key,))
    try:
        if not _held(holder, high, low):
            raise ProofFailed(
                "the server does not show a session its own locks",
                why="whether the clone is production is told by a lock that is taken on the one"
                " and looked for on the other",
                fix="leave the clone out: --hk-twin=",
            )
        return _held(looker, high, low)
    finally:
        holder.execute("SELECT pg_catalog.pg_advisory_unlock(%s::bigint)", (key,))


def _held(connection: Connection, high: int, low: int) -> bool:
    row = connection.execute(_HELD, (high, low)).fetchone()
    return row is not None and row[0] > 0
