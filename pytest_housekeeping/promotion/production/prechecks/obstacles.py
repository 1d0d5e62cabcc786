"""Who of those that are there is in the way of a batch, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.evidence.report.display import duration, one_line
from pytest_housekeeping.model import Finding, Level, Lock
from pytest_housekeeping.postgres.activity import Activity, Prepared, Replica, Session
from pytest_housekeeping.promotion.prechecks.shared import error
from pytest_housekeeping.sql.identifiers import quoted

_PG_DUMP = ("pg_dump", "pg_dumpall", "pg_restore")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From when on somebody is in the way, in seconds: with a lock that the batch could not get
    past, whatever he does, and a standby that is behind."""

    held_s: float
    long_s: float
    lag_s: float

    @classmethod
    def of(cls, config: Config) -> Limits:
        """What an attempt could not outwait counts as held for long."""
        return cls(
            held_s=milliseconds(config.lock_timeout) / 1000,
            long_s=milliseconds(config.long_transaction) / 1000,
            lag_s=milliseconds(config.max_replica_lag) / 1000,
        )


def obstacles(activity: Activity, limits: Limits, ages: Mapping[str, float]) -> Iterator[Finding]:
    """A finding for each. ``ages`` tells for how long a transaction has been seen, for those of
    which the server does not tell since when they are there."""
    for session in activity.sessions:
        age = ages.get(session.transaction, 0.0) if session.age_s is None else session.age_s
        if session.is_autovacuum:
            # Any other one gives way to who asks for the table.
            if any(lock.relation in activity.old for lock in session.held):
                yield _vacuum(session, age)
        elif session.held and age >= limits.held_s:
            yield _holding(session, age)
        elif session.age_s is not None and age >= limits.long_s:
            yield _long(session, age)
    for prepared in activity.prepared:
        if prepared.age_s >= (limits.held_s if prepared.held else limits.long_s):
            yield _prepared(prepared)
    yield from _standbys(activity, limits)


def _standbys(activity: Activity, limits: Limits) -> Iterator[Finding]:
    for replica in activity.replicas:
        if replica.state == "catchup" or replica.lag_s > limits.lag_s:
            yield _replica(replica)
    if activity.unanswered:
        yield _unanswered(activity)


def untold(activity: Activity, user: str) -> Iterator[Finding]:
    """What the server does not tell this role: said, and not passed over."""
    silent = [each for each in activity.sessions if each.age_s is None and not each.is_autovacuum]
    if silent or any(replica.state is None for replica in activity.replicas):
        yield Finding(
            rule="activity-untold",
            level=Level.NOTICE,
            object=", ".join(_name(each) for each in silent[:3]) or "the standbys",
            detail="the server does not tell this role since when they are there, nor how far"
            " behind a standby is; what they lock was seen",
            fix=f"GRANT pg_read_all_stats TO {quoted(user)};",
        )


def _holding(session: Session, age: float) -> Finding:
    """A session in whose way the batch would be."""
    locks = _locks(session.held)
    rule, what = "activity-lock", f"{_state(session)}{_lasting(session, age)}"
    fix = f"let it end, or end it: SELECT pg_catalog.pg_terminate_backend({session.pid});"
    if session.application in _PG_DUMP:
        rule, what = "activity-pg-dump", f"a dump that has been running {_lasting(session, age)}"
    elif session.building:
        rule = "activity-index-build"
        what = f"{session.building}, {_lasting(session, age)}"
    return error(rule, _name(session), f"{what}, holds {locks}", fix)


def _lasting(session: Session, age: float) -> str:
    """How long it has been there, or been seen: not everybody is told the former."""
    return f"for {'at least ' if session.age_s is None else ''}{duration(age)}"


def _long(session: Session, age: float) -> Finding:
    return error(
        "activity-long-transaction",
        _name(session),
        f"{_state(session)}for {duration(age)}: what it has read it may lock next, and an index"
        " that is built CONCURRENTLY waits for its end",
        f"let it end, or end it: SELECT pg_catalog.pg_terminate_backend({session.pid}); one that"
        " may go on: raise long_transaction in [tool.housekeeping]",
    )


def _vacuum(session: Session, age: float) -> Finding:
    return error(
        "activity-wraparound-vacuum",
        _name(session),
        f"a vacuum to prevent wraparound, for {duration(age)}, holds {_locks(session.held)}, and"
        " gives way to nobody",
        "let it end: pg_stat_progress_vacuum tells how far it is; cancelled, it begins again",
    )


def _prepared(prepared: Prepared) -> Finding:
    holds = f", holds {_locks(prepared.held)}" if prepared.held else ", holds back every vacuum"
    return error(
        "activity-prepared",
        f"prepared transaction {one_line(prepared.gid)!r}",
        f"of {one_line(prepared.owner)}, prepared {duration(prepared.age_s)} ago and not ended"
        + holds,
        "end it as its owner, in this database: COMMIT PREPARED or ROLLBACK PREPARED",
    )


def _replica(replica: Replica) -> Finding:
    return error(
        "activity-replica-lag",
        f"standby {one_line(replica.name)}",
        f"is {duration(replica.lag_s)} behind, {replica.lacks}; what the batch writes and locks"
        " comes on top",
        "wait until it has caught up, and look at what it replays; where it may be behind: raise"
        " max_replica_lag in [tool.housekeeping]",
    )


def _unanswered(activity: Activity) -> Finding:
    return error(
        "activity-no-standby",
        f"synchronous_standby_names = {one_line(activity.asks_for)}",
        f"too few of these standbys are there to answer ({activity.there}): COMMIT waits for them,"
        " whatever limit is set, and all locks of the batch are held meanwhile",
        "bring the standby back; or take it out for as long as it is gone: ALTER SYSTEM SET"
        " synchronous_standby_names = '…'; SELECT pg_reload_conf();",
    )


def _name(session: Session) -> str:
    parts = [f"process {session.pid}"]
    parts += [one_line(session.application)] if session.application else []
    parts += [f"of {one_line(session.user)}"] if session.user else []
    return " ".join(parts)


def _state(session: Session) -> str:
    state = f"{session.state}, " if session.state not in ("", "active") else ""
    return f"{state}in a transaction "


def _locks(locks: tuple[Lock, ...]) -> str:
    return ", ".join(f"{lock.relation} in {lock.mode}" for lock in locks)
