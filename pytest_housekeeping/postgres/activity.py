"""What else goes on in a database, as far as a batch would meet it: who holds what, since when.

A role that is no member of ``pg_read_all_stats`` is told the process and the application of others'
sessions, and neither since when nor what they do. Their locks are told to everybody:
https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
https://www.postgresql.org/docs/16/view-pg-locks.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pytest_housekeeping.model import Lock
from pytest_housekeeping.postgres.batch_facts import conflicting
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.locks.in_the_way import OURS

# "2 (a, b)", "FIRST 2 (a, b)", "ANY 2 (a, b)"; a list alone asks for one.
_HOW_MANY = re.compile(r"(?:FIRST\s+|ANY\s+)?(\d+)\s*\(", re.IGNORECASE)
_MINE = "(SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())"
# Whether there is any of the three, without the views, which take long to plan; and whose answer a
# COMMIT waits for. What a session of others does, and what it is, is not told to everybody.
_ANY = f"""
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_stat_get_activity(NULL) AS a
    WHERE a.datid = {_MINE} AND a.pid <> pg_catalog.pg_backend_pid()
    AND (a.xact_start IS NOT NULL OR a.backend_type IS NULL)),
EXISTS (SELECT FROM pg_catalog.pg_prepared_xact()),
EXISTS (SELECT FROM pg_catalog.pg_stat_get_wal_senders()),
pg_catalog.current_setting('synchronous_standby_names')
"""
# The worker of an autovacuum has no user. Where a table is so old that its vacuum is one to prevent
# wraparound, it gives way to nobody:
# https://www.postgresql.org/docs/16/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND
_SESSIONS = f"""
SELECT a.pid, a.application_name, coalesce(a.usename, '')::text, coalesce(a.state, ''),
    extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8,
    coalesce(a.backend_type = 'autovacuum worker', a.usesysid IS NULL),
    coalesce((SELECT pg_catalog.min(p.command || ', ' || p.phase)
              FROM pg_catalog.pg_stat_progress_create_index AS p WHERE p.pid = a.pid), '')
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database() AND a.pid NOT IN ({OURS})
AND coalesce(a.backend_type, '') <> 'parallel worker'
AND (a.xact_start IS NOT NULL OR a.backend_type IS NULL AND a.pid IN (
    SELECT l.pid FROM pg_catalog.pg_locks AS l WHERE l.locktype = 'virtualxid' AND l.granted))
ORDER BY a.xact_start, a.pid
"""
# It has no process, and its locks bear the name that the lock on its own number bears.
_PREPARED = """
SELECT p.gid, p.owner::text,
    (SELECT pg_catalog.min(l.virtualtransaction) FROM pg_catalog.pg_locks AS l
     WHERE l.locktype = 'transactionid' AND l.pid IS NULL AND l.transactionid = p.transaction),
    extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8
FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = pg_catalog.current_database()
ORDER BY p.prepared, p.gid
"""
_LOCKS = f"""
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), l.mode, l.pid, l.virtualtransaction
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.granted AND l.database = {_MINE}
AND pg_catalog.format('%%I.%%I', n.nspname, c.relname) = ANY (%(relations)s)
ORDER BY 1, 2
"""
_OLD = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE pg_catalog.format('%%I.%%I', n.nspname, c.relname) = ANY (%(relations)s)
AND c.relfrozenxid <> '0' AND (
    pg_catalog.age(c.relfrozenxid) > least(
        pg_catalog.current_setting('autovacuum_freeze_max_age')::int,
        (SELECT o.option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
         WHERE o.option_name = 'autovacuum_freeze_max_age'))
    OR pg_catalog.mxid_age(c.relminmxid) > least(
        pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::int,
        (SELECT o.option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
         WHERE o.option_name = 'autovacuum_multixact_freeze_max_age')))
"""
# One that has just come back tells no lag before it has caught up.
_REPLICAS = """
SELECT coalesce(nullif(r.application_name, ''), 'a standby'), r.state,
    coalesce(extract(epoch FROM r.replay_lag), 0)::float8,
    coalesce(pg_catalog.pg_size_pretty(
        pg_catalog.pg_wal_lsn_diff(r.sent_lsn, r.replay_lsn)), 'nobody tells how much'),
    r.state IS NULL OR r.state = 'streaming' AND r.sync_state IN ('sync', 'quorum')
FROM pg_catalog.pg_stat_replication AS r WHERE coalesce(r.state, '') <> 'backup' ORDER BY 1, r.pid
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A session of others in a transaction.

    ``age_s`` is that of its transaction, None where it is not told; ``held`` are the locks of it in
    whose way the batch would be, and ``transaction`` the name by which they hold together;
    ``building`` what index it builds, and how far it is.
    """

    pid: int
    application: str
    user: str
    state: str
    age_s: float | None
    is_autovacuum: bool
    building: str
    transaction: str = ""
    held: tuple[Lock, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A transaction that was prepared and not ended."""

    gid: str
    owner: str
    age_s: float
    held: tuple[Lock, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Replica:
    """A server that replays what this one writes. Its ``state`` is None where it is not told;
    ``confirms`` says whether a COMMIT that waits for a standby may be answered by this one."""

    name: str
    state: str | None
    lag_s: float
    lacks: str
    confirms: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """All of it, at one moment. ``old`` are the relations whose vacuum gives way to nobody,
    ``asks_for`` the standbys whose answer a COMMIT waits for, as the server's setting has them."""

    sessions: tuple[Session, ...] = ()
    prepared: tuple[Prepared, ...] = ()
    replicas: tuple[Replica, ...] = ()
    old: frozenset[str] = frozenset()
    asks_for: str = ""

    @property
    def there(self) -> int:
        """How many standbys may answer a COMMIT that waits for one."""
        return sum(each.confirms for each in self.replicas)

    @property
    def unanswered(self) -> bool:
        """Whether a COMMIT would wait for standbys of which too few are there.

        https://www.postgresql.org/docs/16/runtime-config-replication.html
        """
        asked = self.asks_for.strip()
        told = _HOW_MANY.match(asked)
        return self.there < (int(told[1]) if told else bool(asked))


def read_activity(connection: LentConnection, wanted: Mapping[str, str]) -> Activity:
    """What goes on now. ``wanted`` is the strongest lock that a batch takes, by relation."""
    asked = {"pid": connection.info.backend_pid, "relations": list(wanted)}
    held: dict[int | str, list[Lock]] = defaultdict(list)
    names: dict[int | str, str] = {}
    for relation, mode, pid, transaction in connection.execute(_LOCKS, asked).fetchall():
        holder = transaction if pid is None else pid
        if mode in conflicting(wanted[relation]):
            held[holder].append(Lock(relation=relation, mode=mode))
            names[holder] = transaction
    others, waits, replicates, asks_for = connection.execute(_ANY).fetchone() or (*(True,) * 3, "")
    sessions = connection.execute(_SESSIONS, asked).fetchall() if others else []
    prepared = connection.execute(_PREPARED).fetchall() if waits else []
    standbys = read_standbys(connection, asks_for) if replicates else Activity(asks_for=asks_for)
    return replace(
        standbys,
        sessions=tuple(
            Session(
                pid=pid,
                application=application,
                user=user,
                state=state,
                age_s=age,
                is_autovacuum=nobody,
                building=building,
                transaction=names.get(pid, ""),
                held=tuple(held.get(pid, ())),
            )
            for pid, application, user, state, age, nobody, building in sessions
        ),
        prepared=tuple(
            Prepared(gid=gid, owner=owner, age_s=age, held=tuple(held.get(name, ())))
            for gid, owner, name, age in prepared
        ),
        old=frozenset(name for (name,) in connection.execute(_OLD, asked).fetchall()),
    )


def read_standbys(connection: Connection, asks_for: str) -> Activity:
    """The servers that replay what this one writes, and nothing else of what goes on.

    ``asks_for`` is ``synchronous_standby_names``.
    """
    replicas = connection.execute(_REPLICAS).fetchall()
    return Activity(
        asks_for=asks_for,
        replicas=tuple(
            Replica(name=name, state=state, lag_s=lag, lacks=lacks, confirms=confirms)
            for name, state, lag, lacks, confirms in replicas
        ),
    )
