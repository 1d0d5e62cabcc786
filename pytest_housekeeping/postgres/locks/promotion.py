"""The lock that admits one promotion of a database at a time.

It belongs to the transaction and ends with it, for a session's lock would outlive it behind a
pooler: https://www.postgresql.org/docs/16/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.connection import LentConnection

# The key is "hkprmote" as eight bytes.
_KEY = int.from_bytes(b"hkprmote")
_HOLDER = """
SELECT pg_catalog.concat_ws(' ', a.usename, 'in', nullif(a.application_name, ''), 'from',
    coalesce(pg_catalog.host(a.client_addr), 'this machine') || ', process',
    l.pid::text || ', since', pg_catalog.to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'))
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
JOIN pg_catalog.pg_database AS d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
AND d.datname = pg_catalog.current_database()
AND (l.classid::int8 << 32 | l.objid::int8) = %s
"""


def lock_query(*, shared: bool) -> str:
    """The query that waits for the lock; those who share it exclude a promotion, not each other."""
    return f"SELECT pg_catalog.pg_advisory_xact_lock{'_shared' * shared}({_KEY})"


def holder(connection: LentConnection) -> str | None:
    """Who holds the lock, and since when, as far as the server tells this role."""
    row = connection.execute(_HOLDER, (_KEY,)).fetchone()
    return str(row[0]) if row else None


def held_by_another(connection: LentConnection, waited: str) -> ProofFailed:
    """The refusal for one who has waited in vain."""
    held = holder(connection) or "it has just ended"
    return ProofFailed(
        f"another promotion of this database holds it: {held} (waited {waited})",
        why="two batches at once could each pass what the other breaks",
        fix="wait for it to end, or look it up in pg_stat_activity",
    )
