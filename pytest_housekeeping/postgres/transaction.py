"""The one transaction: begin, apply file by file with proofs around each, seal, commit.

Why what is committed is what was proved: the id that PostgreSQL gives a transaction is given once,
so the same id behind every file and check says that nothing in between has committed or rolled
back (https://www.postgresql.org/docs/16/transaction-id.html). What it would run inside COMMIT,
behind the last check, is run before it (`deferred`). And where the connection is lost during
COMMIT, ``pg_xact_status`` of the same id tells how it ended
(https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-SNAPSHOT).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg
from psycopg.pq import TransactionStatus

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Applied, Kind, Lock
from pytest_housekeeping.postgres.connection import LentConnection, undone_if_refused
from pytest_housekeeping.postgres.deferred import run_deferred
from pytest_housekeeping.postgres.locks.promotion import held_by_another, lock_query
from pytest_housekeeping.postgres.locks.relations import RelationLocks, read_relations
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks, LockRequests, new_requests
from pytest_housekeeping.postgres.server_messages import heard
from pytest_housekeeping.postgres.session_state import (
    LOOK_FOR_CLIENT,
    LOOK_FOR_CLIENT_IF_IT_CAN,
    LOOKS_FOR_ITS_CLIENT,
    PREPARE_AGAIN,
    PREPARE_STATE,
    PREPARED_STATE,
    PUT_BACK,
    STATE_WITH_SETTINGS,
    SessionState,
    local_settings,
    no_longer_than,
    read_settings,
)
from pytest_housekeeping.postgres.simple_query import Sending, last_row, rows_written, send
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.sql.file import SqlFile

# Who has begun which transaction, and what of the server bounds it.
_BEGUN = (
    "SELECT pg_catalog.pg_current_xact_id()::text, current_user::text,"
    " pg_catalog.current_setting('search_path'), (1000 * extract(epoch FROM"
    " pg_catalog.current_setting('deadlock_timeout')::pg_catalog.interval))::int,"
    f" pg_catalog.current_setting('{LOOKS_FOR_ITS_CLIENT}') <> '0'"
)
# Where that time is over, promote says so: what is short may end.
_SHORTEST_MS = 100


@dataclass(kw_only=True)
class Transaction:
    """An open transaction on ``connection``, and what has to be true of it at every moment.

    Where it is ``measured``, on a copy, nobody waits: each file is asked about all that it did.
    ``looks_for_client``: the server can tell in a statement that nobody waits for its answer.
    """

    connection: LentConnection
    config: Config
    xid: str
    user: str
    search_path: str
    locks: RelationLocks
    requests: LockRequests
    measured: bool = False
    looks_for_client: bool = False
    sealed: bool = False
    sending: Sending = send
    applied: list[str] = field(default_factory=list)

    def apply(self, file: SqlFile, text: str) -> Applied:
        """Run one file as one simple-protocol round trip, then prove and put back its surroundings.

        Raises SqlFailed with file, line and column when PostgreSQL refuses a statement, and
        ProofFailed when the file ended the transaction that it ran in.
        A seed that is refused leaves the transaction as it was, so that the checks can tell why.
        """
        if file.kind is Kind.SEED:
            with undone_if_refused(self.connection):
                return self._apply(file, text)
        if not self.measured:
            return self._apply(file, text)
        self.connection.execute("SET LOCAL client_min_messages = 'notice'")
        with heard(self.connection) as messages:
            applied = self._apply(file, text)
        scans = self.locks.take_scans(self.connection)
        return replace(applied, scans=scans, messages=tuple(messages))

    def _apply(self, file: SqlFile, text: str) -> Applied:
        before, set_before = self.requests.before(file), tuple[str, ...]()
        if file.keeps_session:
            state, again = PREPARED_STATE, ""
        else:
            state, again = STATE_WITH_SETTINGS, f"; {PREPARE_AGAIN}"
            set_before = read_settings(self.connection, before)
            before = []
        before += ["SET LOCAL row_security = on"] * file.row_security
        started = time.perf_counter()
        results = self.sending(
            self.connection,
            file.path,
            text,
            before=before,
            after=f"{state}; {self.put_back}{again}",
        )
        duration = time.perf_counter() - started
        left = SessionState.of_row(last_row(results))
        self._refuse_other(file, left.xid)
        self.applied.append(file.path)
        if left.temporary is not None:
            self.connection.execute("DISCARD TEMP")
        return Applied(
            statements=file.statements,
            rows=rows_written(results),
            duration_s=duration,
            locks=self._new_locks(file, text, started),
            put_back=left.changes(self.user, self.search_path, set_before),
        )

    @property
    def put_back(self) -> str:
        """The statements that make the session what each file finds it as."""
        limits = local_settings(self.config, lock_ms=self.requests.in_force_ms)
        return "; ".join((PUT_BACK, limits, *([LOOK_FOR_CLIENT] * self.looks_for_client)))

    def bounded(self, savepoint: str) -> str:
        """The statement that begins a savepoint; where others wait, nothing in it may take longer
        than they may be kept waiting yet."""
        most = self.config.max_locks_held
        if not (most and self.locks.strong):
            return savepoint
        left = max(_SHORTEST_MS, int(1000 * (most - self.locks.held_s)))
        return f"{savepoint}; {no_longer_than(self.config, left)}"

    def apply_in_thread(self, file: SqlFile, text: str) -> Applied:
        """The same in a thread that was not admitted to the connection yet."""
        self.connection.admit()
        return self.apply(file, text)

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """What is applied meanwhile is rolled back by the caller, and counts for nothing."""
        applied = list(self.applied)
        with self.locks.kept():
            try:
                yield
            finally:
                self.applied = applied

    def seal(self) -> tuple[str, ...]:
        """Run now what would run at COMMIT, then look at the schema as users will.

        The session is put back afterwards, for a trigger may have changed it; what had to be is
        returned. Raises SqlFailed when a deferred constraint does not hold, and ProofFailed when
        something waits for COMMIT whatever is done.
        """
        before, left = read_settings(self.connection), list[str]()
        try:
            for limit in self.requests.limit():
                self.connection.execute(limit)
            run_deferred(self.connection, lambda: left.extend(self._put_back(before)))
            self.connection.execute("SET LOCAL row_security = on")
        except psycopg.Error as error:
            raise explain("SET CONSTRAINTS ALL IMMEDIATE", "", error) from None
        self.sealed = True
        return tuple(dict.fromkeys(left))

    def prove(self, *, first: str = "") -> None:
        """The transaction is still the one that was begun. Raises ProofFailed.

        ``first`` goes in the same round trip: the way back to a savepoint, from an error as well.
        """
        usable = {TransactionStatus.INTRANS} | ({TransactionStatus.INERROR} if first else set())
        if self.connection.info.transaction_status not in usable:
            raise ProofFailed(
                "the transaction is no longer open",
                why="what was proved before may not be what would be committed",
                fix="look for a check that commits, or for a lost connection",
            )
        asked = [first, *self.requests.limit(), "SELECT pg_catalog.pg_current_xact_id()::text"]
        try:
            cursor = self.connection.execute("; ".join(asked))
        except psycopg.Error as error:
            raise self._ended(error) from None
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        if row is None or row[0] != self.xid:
            raise ProofFailed(
                f"the transaction is another one (id {self.xid} before, {row and row[0]} now)",
                why="something has ended it, and what was proved in it would not be committed",
                fix="look for a COMMIT or ROLLBACK in the tests and queries of the checks, and in"
                " what they call, and take it out",
            )

    def _ended(self, error: psycopg.Error) -> Exception:
        """What has become of a transaction that cannot be asked."""
        if not self.connection.closed:
            return error
        return ProofFailed(
            f"the server has ended the session: {error.diag.message_primary or error}",
            why="what was open in it is rolled back",
            fix="a check that takes longer than others may be kept waiting (max_locks_held), or"
            " than idle_timeout, is to be quicker, or the limit higher",
        )

    def _refuse_other(self, file: SqlFile, xid: str) -> None:
        status = self.connection.info.transaction_status
        if status is not TransactionStatus.INTRANS or xid != self.xid:
            raise ProofFailed(
                f"{file.path} ended the transaction (id {self.xid} before it, {xid} after it)",
                why="part of the batch may be committed, which nothing has proved yet",
                fix="remove what commits from the file",
            )

    def _put_back(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """The session as each file finds it; what had to be put back. Raises ProofFailed."""
        row = self.connection.execute(STATE_WITH_SETTINGS).fetchone()
        if row is None or row[0] != self.xid:
            raise ProofFailed(
                "the transaction is not the one that was begun",
                why="what was proved before may not be what would be committed",
                fix="look for a deferred trigger that ends it",
            )
        left = SessionState.of_row(row)
        if left.temporary is not None:
            self.connection.execute("DISCARD TEMP")
        self.connection.execute(self.put_back)
        return left.changes(self.user, self.search_path, before)

    def _new_locks(self, file: SqlFile, text: str, started: float) -> tuple[Lock, ...]:
        """What the file has locked by itself, and what was asked for ahead of it."""
        asked = self.requests.asked.intersection(self.requests.foreseen.of(file))
        named = self.measured or self.locks.may_be_named_in(text)
        if file.keeps_session and not named:
            taken = asked
        else:
            taken = asked.union(self.locks.take_new(self.connection))
            if self.locks.strong:
                self.requests.budget.begin(started)
        return tuple(sorted(taken, key=lambda lock: (lock.relation, lock.mode)))


def begin(
    connection: LentConnection,
    config: Config,
    *,
    watching: bool = False,
    measured: bool = False,
    foreseen: ForeseenLocks | None = None,
    fresh: bool = False,
) -> Transaction:
    """BEGIN, the lock that admits one promotion at a time, limits, and the transaction's id.

    A run that is only ``watching`` shares the lock with its like: what it sees is between two
    promotions, never in the middle of one. ``measured``: see `Transaction`. ``foreseen`` are the
    locks to ask for where others wait for them; without them nobody does. In a ``fresh`` session
    no transaction was begun here and no file was run: what was prepared ahead stays.

    Raises ProofFailed when another promotion holds the lock for longer than ``lock_wait``.
    """
    lock_ms = milliseconds(config.lock_timeout)
    try:
        connection.execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
            f" SET LOCAL lock_timeout = '{config.lock_wait}'; {lock_query(shared=watching)};"
            f" {local_settings(config, lock_ms=lock_ms)}; {LOOK_FOR_CLIENT_IF_IT_CAN};"
            f" {PREPARE_STATE if fresh else PREPARE_AGAIN}"
        )
    except psycopg.errors.LockNotAvailable:
        connection.execute("ROLLBACK")
        raise held_by_another(connection, config.lock_wait) from None
    row = connection.execute(_BEGUN).fetchone()
    if row is None:
        raise ProofFailed("BEGIN gave no transaction id", why="nothing could be proved in it")
    locks = read_relations(connection)
    if measured:
        locks.begin_counting(connection)
    return Transaction(
        connection=connection,
        config=config,
        xid=row[0],
        user=row[1],
        search_path=row[2],
        locks=locks,
        requests=new_requests(connection, config, locks, foreseen, deadlock_ms=row[3]),
        measured=measured,
        looks_for_client=row[4],
    )
