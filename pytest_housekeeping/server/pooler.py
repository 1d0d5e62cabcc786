"""What stands between a run and its sessions: a pooler, behind which nothing proved of a session
holds, or a limit of how many there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ProofFailed

if TYPE_CHECKING:
    import psycopg

WHY = "locks, settings and the outcome of COMMIT could belong to another session"
FIX = "give the server's own host and port, past the pooler"
_FULL = ("too many connections for", "too many clients already", "remaining connection slots")
MORE_SESSIONS = (
    "let in more sessions, or wait until others have ended: a run needs three at a time (ALTER ROLE"
    " … CONNECTION LIMIT; ALTER DATABASE … CONNECTION LIMIT, which a copy has as well)"
)


def refuse_pooler(connection: psycopg.Connection[Any]) -> None:
    """A pooler answers with a process id of its own, or moves the session between processes.

    Raises ProofFailed for one.
    """
    claimed = connection.info.backend_pid
    seen = set()
    for _ in range(3):
        row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
        seen.add(row[0] if row else None)
    if seen != {claimed}:
        raise ProofFailed(
            "a pooler stands in front of the server: the session's process is not the one that it"
            " was told",
            why=WHY,
            fix=FIX,
        )


def pooler_refuses(message: str) -> bool:
    """Whether it is a pooler that has let nobody in: a server knows what a session begins with.

    https://www.pgbouncer.org/config.html#ignore_startup_parameters
    """
    return "unsupported startup parameter" in message


def is_full(message: str) -> bool:
    """Whether a server lets nobody in because as many sessions are there as may be (53300)."""
    return any(words in message for words in _FULL)
