"""Who keeps a session waiting, asked over another connection: the one that waits cannot answer.

https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-SESSION
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.conninfo import make_conninfo

from pytest_housekeeping.model import Lock
from pytest_housekeeping.postgres.batch_facts import conflicting
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect

# By this name the connection is told from the one in use.
APPLICATION = "pytest-housekeeping signs of life"
# Those of this run: the session itself, and the programs that work for it since it began.
OURS = """
SELECT w.pid FROM pg_catalog.pg_stat_activity AS w
JOIN pg_catalog.pg_stat_activity AS own ON own.pid = %(pid)s
WHERE w.pid = own.pid OR (w.usename = own.usename AND w.datname = own.datname
    AND w.backend_start >= own.backend_start
    AND w.application_name IN ('pg_dump', own.application_name))
"""
# pg_blocking_pids() has the whole lock table stand still for a moment: only who waits is asked
# about. A transaction that was prepared has no process, and counts as 0.
_ABOUT = """b.pid, a.usename::text, a.application_name, a.state,
    pg_catalog.to_char(coalesce(a.xact_start, a.query_start), 'YYYY-MM-DD HH24:MI:SS TZ'), a.query
"""
# Mostly nobody waits for a lock, and that is told without the views, which take long to plan.
_WAITS = """
SELECT FROM pg_catalog.pg_stat_get_activity(NULL) AS w
WHERE w.wait_event_type = 'Lock' OR w.wait_event = 'SyncRep' LIMIT 1
"""
# Such a COMMIT is done here, and no limit of time ends its waiting. It keeps its locks until it is
# answered, or cancelled: https://www.postgresql.org/docs/16/warm-standby.html
_STANDBY = """
SELECT pg_catalog.current_setting('synchronous_standby_names')
FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = %(pid)s AND a.wait_event = 'SyncRep'
"""
_IN_THE_WAY = f"""
SELECT {_ABOUT}
FROM (SELECT DISTINCT b.pid FROM pg_catalog.pg_stat_activity AS w
      CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
      WHERE w.wait_event_type = 'Lock' AND w.pid IN ({OURS})) AS b
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
WHERE b.pid NOT IN ({OURS})
ORDER BY a.xact_start, b.pid
"""
_HOLDERS = f"""
SELECT {_ABOUT}
FROM (SELECT DISTINCT coalesce(l.pid, 0) AS pid FROM pg_catalog.pg_locks AS l
      WHERE l.locktype = 'relation' AND l.granted AND l.mode = ANY (%(modes)s)
      AND l.relation = pg_catalog.to_regclass(%(relation)s)
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                        WHERE d.datname = pg_catalog.current_database())) AS b
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
WHERE b.pid NOT IN ({OURS})
ORDER BY a.xact_start, b.pid
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocker:
    """A session that holds what another one waits for, as far as the server tells this role.

    ``since`` is when its transaction began. What the server does not tell is empty; ``pid`` is 0
    for a transaction that was prepared. Where ``standbys`` do not answer a COMMIT, it is the one
    that waits for them.
    """

    pid: int
    user: str = ""
    application: str = ""
    state: str = ""
    since: str = ""
    query: str = ""
    standbys: str = ""


def open_beside(connection: LentConnection) -> LentConnection:
    """A further connection to where one leads, as the same role; it answers within two seconds, and
    writes nothing.

    Raises ServerError.
    """
    info = connection.info
    known = make_conninfo(info.dsn, password=info.password)
    opened = connect(known, name=APPLICATION)
    opened.execute("SET statement_timeout = '2s'; SET default_transaction_read_only = on")
    return opened


def in_the_way(connection: Connection, pid: int) -> tuple[Blocker, ...]:
    """Who keeps the session of process ``pid``, or a program that works for it, waiting now.

    ``connection`` is another one. The longest transaction comes first.
    """
    if connection.execute(_WAITS).fetchone() is None:
        return ()
    unanswered = connection.execute(_STANDBY, {"pid": pid}).fetchall()
    return (
        *(Blocker(pid=pid, standbys=names) for (names,) in unanswered),
        *_blockers(connection.execute(_IN_THE_WAY, {"pid": pid}).fetchall()),
    )


def holders_of(connection: LentConnection, lock: Lock) -> tuple[Blocker, ...]:
    """Who holds the relation in a mode in which nobody can get this lock, now."""
    asked = {
        "pid": connection.info.backend_pid,
        "relation": lock.relation,
        "modes": list(conflicting(lock.mode)),
    }
    return _blockers(connection.execute(_HOLDERS, asked).fetchall())


def _blockers(rows: Iterable[Sequence[Any]]) -> tuple[Blocker, ...]:
    return tuple(
        Blocker(
            pid=pid,
            user=user or "",
            application=application or "",
            state=state or "",
            since=since or "",
            query=query or "",
        )
        for pid, user, application, state, since, query in rows
    )
