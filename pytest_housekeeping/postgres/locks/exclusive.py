"""Who keeps everybody else out of a table: the strongest lock, which ``ACCESS SHARE`` waits for.

VACUUM FULL, TRUNCATE, ALTER TABLE and REFRESH MATERIALIZED VIEW take it, to the end of their
transaction: https://www.postgresql.org/docs/16/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

from pytest_housekeeping.postgres.connection import Connection

_SHOWN = 3
# Of another role's session, who may not read all statistics is told the process alone.
_HOLDERS = f"""
SELECT pg_catalog.concat_ws(' ', min(l.relation::pg_catalog.regclass::text), 'is held by',
    a.usename, 'in ' || nullif(a.application_name, ''), 'process', l.pid::text || ',',
    'whose last query began',
    pg_catalog.to_char(a.query_start, 'YYYY-MM-DD HH24:MI:SS TZ'))
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
JOIN pg_catalog.pg_database AS d ON d.oid = l.database
WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock'
AND l.pid <> pg_catalog.pg_backend_pid() AND d.datname = pg_catalog.current_database()
AND l.relation >= 16384
GROUP BY l.pid, a.usename, a.application_name, a.query_start ORDER BY a.query_start, l.pid
LIMIT {_SHOWN}
"""


def exclusive_holders(connection: Connection) -> list[str]:
    """A line for each of the sessions that hold a table, as far as the server tells this role."""
    return [str(line) for (line,) in connection.execute(_HOLDERS).fetchall()]
