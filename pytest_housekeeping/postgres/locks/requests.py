"""The strong locks of a batch, asked for before the statements that take them.

Which these are is known from a copy. Asked for by themselves they can share one budget
(`budget`), and what cannot be had is known before anything was done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Lock
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.locks.budget import SMALLEST_MS, LockBudget
from pytest_housekeeping.postgres.locks.relations import STRONG, RelationLocks
from pytest_housekeeping.postgres.simple_query import exchanged
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.identifiers import quoted

# Neither readers nor writers wait for it; autovacuum, index builds and whoever alters do:
# https://www.postgresql.org/docs/16/explicit-locking.html#LOCKING-TABLES
KEEPS_OUT = "ShareUpdateExclusiveLock"
_MODES = {
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}
_RANK = {mode: rank for rank, mode in enumerate(_MODES)}
# A batch is short if the copy has needed no longer for it, and what it reads or writes through in
# production is no more than this.
_SHORT_S = 1.0
_SHORT_BYTES = 16 * 1024 * 1024
# LOCK TABLE is for tables, and for who may write to them; of a view it would lock what the view
# reads: https://www.postgresql.org/docs/16/sql-lock.html
_ASKABLE = """
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind IN ('r', 'p')
    AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%s) ORDER BY n.nspname, c.relname
"""
_BYTES = """
SELECT coalesce(pg_catalog.sum(pg_catalog.pg_table_size(o)), 0)
FROM pg_catalog.unnest(%s::pg_catalog.oid[]) AS o
"""


class LockNotHad(SqlFailed):
    """A lock that was asked for before it was needed, and not had in time."""

    def __init__(self, relation: str, mode: str, error: psycopg.Error) -> None:
        message = error.diag.message_primary or str(error).strip()
        super().__init__(
            f"{relation} could not be locked in {_MODES[mode]} mode: {message}"
            f" (SQLSTATE {error.diag.sqlstate or 'none: the connection was lost'})",
            sqlstate=error.diag.sqlstate or "",
        )
        self.wanted = Lock(relation=relation, mode=mode)


@dataclass(frozen=True, kw_only=True)
class ForeseenLocks:
    """What the files of a segment lock, by path and sha256, of what stood before it.

    ``read_through`` are the relations that they scan or write anew, ``seconds`` is what the copy
    has needed for all of it.
    """

    by_file: Mapping[tuple[str, str], tuple[Lock, ...]] = field(default_factory=dict)
    read_through: tuple[str, ...] = ()
    seconds: float = float("inf")

    def of(self, file: SqlFile) -> tuple[Lock, ...]:
        """The locks of one file."""
        return self.by_file.get((file.path, file.sha256), ())

    @property
    def all(self) -> tuple[Lock, ...]:
        """Those of the segment, each once."""
        return tuple(dict.fromkeys(lock for locks in self.by_file.values() for lock in locks))


@dataclass(kw_only=True)
class LockRequests:
    """Asks for what is foreseen of a transaction on ``connection``.

    First for the locks that keep out autovacuum, index builds and others who alter, and with
    patience, for neither readers nor writers wait for them. Then for the strong ones, in the order
    of their names: all of them before a batch that is short, those of each file before it where it
    is not. ``own`` are the tool's own tables, which the batch ends by locking.
    """

    connection: LentConnection
    relations: RelationLocks
    budget: LockBudget
    foreseen: ForeseenLocks
    in_force_ms: int
    own: tuple[str, ...] = ()
    asked: set[Lock] = field(default_factory=set)
    _begun: bool = False

    def before(self, file: SqlFile) -> list[str]:
        """Ask for what is asked for before a file; the statement that limits what it waits itself.

        Raises SqlFailed, LockNotHad where a lock was not had.
        """
        try:
            if not self._begun:
                self._begun = True
                kept = [each.relation for each in self.foreseen.all if _is_kept(each)]
                self._ask((each, KEEPS_OUT) for each in (*kept, *self.own))
                if self._is_short():
                    self._ask(_strong(self.foreseen.all))
            unasked = self._ask(_strong(self.foreseen.of(file)))
        except psycopg.Error as error:
            raise explain(file.path, "", error) from None
        return self.limit(self.budget.share_ms(unasked))

    def limit(self, lock_ms: int | None = None) -> list[str]:
        """The statement that lets a lock be waited for as long, or for what is left of the budget;
        none where that is in force already."""
        known, wanted = self.in_force_ms, self.budget.left_ms if lock_ms is None else lock_ms
        self.in_force_ms = wanted
        return [] if known == wanted else [f"SET LOCAL lock_timeout = '{wanted}ms'"]

    def _is_short(self) -> bool:
        if self.foreseen.seconds > _SHORT_S:
            return False
        oids = self._oids(self.foreseen.read_through)
        row = self.connection.execute(_BYTES, (list(oids),)).fetchone() if oids else None
        return row is None or row[0] <= _SHORT_BYTES

    def _oids(self, names: Iterable[str]) -> dict[int, str]:
        by_name = {name: oid for oid, name in self.relations.relations.items()}
        return {by_name[name]: name for name in names if name in by_name}

    def _ask(self, wanted: Iterable[tuple[str, str]]) -> int:
        """Ask for these; how many of them cannot be asked for."""
        strongest: dict[str, str] = {}
        for relation, mode in wanted:
            known = strongest.get(relation, mode)
            strongest[relation] = max(known, mode, key=_RANK.__getitem__)
        if not strongest:
            return 0
        oids = {
            oid: name
            for oid, name in self._oids(strongest).items()
            if not self.relations.holds(oid, strongest[name])
        }
        if not oids:
            return 0
        # What an earlier file has renamed is found by its number.
        rows = self.connection.execute(_ASKABLE, (list(oids),)).fetchall()
        asked = [
            (oids[oid], strongest[oids[oid]], sql.Identifier(schema, name))
            for oid, schema, name, askable in rows
            if askable
        ]
        if asked:
            self._lock(asked)
        return len(rows) - len(asked)

    def _lock(self, asked: Sequence[tuple[str, str, sql.Identifier]]) -> None:
        quiet = all(mode == KEEPS_OUT for _, mode, _ in asked)
        limits = self._limits(len(asked), quiet=quiet)
        text = sql.SQL("; ").join(
            sql.SQL("{}; LOCK TABLE ONLY {} IN {} MODE").format(limit, name, sql.SQL(_MODES[mode]))
            for limit, (_, mode, name) in zip(limits, asked, strict=True)
        )
        if not quiet:
            self.budget.begin(time.perf_counter())
        self.in_force_ms = 0
        results = exchanged(self.connection, text.as_bytes(self.connection))
        if results[-1].status == ExecStatus.FATAL_ERROR:
            # Each is two statements: its limit, and the lock.
            relation, mode, _ = asked[min((len(results) - 1) // 2, len(asked) - 1)]
            raise LockNotHad(relation, mode, psycopg.errors.error_from_result(results[-1]))
        self.asked |= {Lock(relation=relation, mode=mode) for relation, mode, _ in asked}
        self.relations.take_new(self.connection)

    def _limits(self, count: int, *, quiet: bool) -> list[sql.Composable]:
        """What is set before each lock, all in one round trip: its server knows what is left."""
        first = self.budget.patient_ms if quiet else self.budget.left_ms
        shared = first if quiet or self.budget.begun else min(first, self.budget.shared_ms)
        limits: list[sql.Composable] = [sql.SQL("SET LOCAL lock_timeout = {}").format(first)]
        if quiet:
            return limits * count
        left = sql.SQL(
            "SELECT pg_catalog.set_config('lock_timeout', greatest({}, {} - (1000 * extract(epoch"
            " FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp()))::int)::text,"
            " true)"
        ).format(SMALLEST_MS, shared)
        return limits + [left] * (count - 1)


def new_requests(
    connection: LentConnection,
    config: Config,
    relations: RelationLocks,
    foreseen: ForeseenLocks | None,
    *,
    deadlock_ms: int,
) -> LockRequests:
    """What asks for the locks of a transaction that has just begun: of the tool's own tables too,
    where others wait for what is foreseen."""
    lock_ms = milliseconds(config.lock_timeout)
    ours = f"{quoted(config.history_schema)}."
    own = tuple(name for name in relations.relations.values() if name.startswith(ours))
    return LockRequests(
        connection=connection,
        relations=relations,
        budget=LockBudget.of(lock_ms, deadlock_ms, limited=foreseen is not None),
        foreseen=foreseen or ForeseenLocks(),
        in_force_ms=lock_ms,
        own=own if foreseen is not None else (),
    )


def _is_kept(lock: Lock) -> bool:
    return lock.mode == KEEPS_OUT or lock.mode in STRONG


def _strong(locks: Iterable[Lock]) -> list[tuple[str, str]]:
    return [(lock.relation, lock.mode) for lock in locks if lock.mode in STRONG]
