"""The batch of a segment: its open transaction, the files applied in it, and the way back.

Nothing of a batch is in the database before its COMMIT. A file that met somebody else's lock is
therefore tried again with everything before it, in a new transaction, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TypeAlias, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from pytest_housekeeping.errors import LeftBehind
from pytest_housekeeping.model import Applied, Kind, Phase, Step
from pytest_housekeeping.postgres.connection import Connection, Savepoint
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.postgres.session_state import ROLLBACK
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.target import Target
from pytest_housekeeping.promotion.transaction import autocommit
from pytest_housekeeping.promotion.transaction.lock_attempts import LockAttempts
from pytest_housekeeping.promotion.transaction.outside_limits import limited
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.sql.file import SqlFile

Done = TypeVar("Done")
Work: TypeAlias = Callable[[], Done]


@dataclass(kw_only=True)
class Batch:
    """The files of the present segment, in its transaction.

    ``applied`` are those in the open transaction, ``outside`` those that no transaction can hold
    and that were run since the last COMMIT; ``checked_in`` the transactions that checks ran in.
    ``sealed_schema`` is the schema that is verified; ``put_back`` what deferred triggers had
    changed of the session. Where a check has ended the transaction by force, the server is asked
    what became of it: ``escaped`` if it was committed, ``ended_unseen`` if nobody can tell.
    ``prove_same`` tells whether a schema is the one proved elsewhere, ``foreseen`` what that is.
    ``measured``: asked about all that each file did. ``locks`` are what a segment takes."""

    context: RunContext
    target: Target
    measured: bool = False
    prove_same: Callable[[Fingerprint, int], SchemaRecord] | None = None
    foreseen: Callable[[int], SchemaRecord] | None = None
    locks: Callable[[int], ForeseenLocks] | None = None
    transaction: Transaction | None = None
    upcoming: Sequence[Step | None] = ()
    begun: bool = False
    committed_before: bool = False
    ended_unseen: str = ""
    suspect: bool = False
    escaped: bool = False
    locks_held_s: float = 0.0
    put_back: tuple[str, ...] = ()
    sealed_schema: Fingerprint | None = None
    progress: Progress = field(default_factory=Progress)
    applied: list[tuple[SqlFile, Applied]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    checked_in: set[str] = field(default_factory=set)
    _segment: int = 1
    _last: Step | None = None
    _attempts: LockAttempts | None = None
    _unasked: str = ""
    _ahead: dict[str, Future[Applied]] = field(default_factory=dict)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))

    def opened(self) -> Transaction:
        """The open transaction; begun when it is first asked for."""
        if self.transaction is None:
            rules, begun, self.begun = self.context.rules, self.begun, True
            first = not (self.committed_before or self.outside)
            self.transaction = begin(
                self.target.connection.get(),
                self.context.config,
                watching=rules.watches,
                measured=self.measured,
                foreseen=self.locks(self._segment) if self.locks else None,
                fresh=first and not (begun or rules.throwaway),
            )
            self.target.after_begin(self.transaction.connection, first=first)
        return self.transaction

    def apply(self, step: Step) -> Applied:
        """Apply the file of a step, and let the server go on with what runs next.

        Raises SqlFailed when PostgreSQL refuses it; the batch is rolled back then, but for a seed.
        """
        file = self.context.files.of(step)
        ahead = self._ahead.get(step.id)
        work = partial(self._file, file)
        applied = self._had(step, ahead.result if ahead else work, work)
        self._ahead.pop(step.id, None)
        self.applied.append((file, applied))
        self._last = step
        self._run_ahead(step)
        return applied

    @contextmanager
    def check_savepoint(self, *, of_a_test: bool = False) -> Iterator[Connection]:
        """The connection for one check: in a savepoint that is rolled back whatever happens.

        A test of the project's own may do anything: until it is proved that it did not end the
        transaction, that is ``suspect``.
        Raises ProofFailed when the transaction is not the one that it was before the check.
        """
        transaction = self.opened()
        self.suspect = self.suspect or of_a_test
        self.checked_in.add(transaction.xid)
        if transaction.connection.info.transaction_status is not TransactionStatus.INTRANS:
            transaction.prove()
        savepoint = Savepoint()
        transaction.connection.execute(transaction.bounded(savepoint.begin))
        try:
            yield transaction.connection
        except BaseException:
            if not transaction.connection.closed:
                transaction.connection.execute(savepoint.back)
            raise
        transaction.prove(first=savepoint.back)
        self.suspect = False

    @contextmanager
    def judging(self, segment: int) -> Iterator[Connection]:
        """The connection for one check of what the segment has made; see `check_savepoint`."""
        with self.sealed(segment) as transaction:
            yield transaction.connection

    @contextmanager
    def sealed(self, segment: int) -> Iterator[Transaction]:
        """The transaction when nothing more is applied, in a savepoint that is rolled back."""
        self.seal(segment)
        with self.check_savepoint():
            yield self.opened()

    def seal(self, segment: int) -> None:
        """Nothing more is applied: put it on record, and run what would run at COMMIT.

        So is the schema, as it is or is foreseen: a test that commits by force leaves it whole.
        Raises SqlFailed when a deferred constraint does not hold; the batch is rolled back then.
        """
        wait(self._ahead.values())
        if not self.opened().sealed:
            self._had(self._last, *[partial(self._seal, segment)] * 2)

    def _seal(self, segment: int) -> None:
        transaction = self.opened()
        connection = transaction.connection
        if not self.context.rules.watches:
            try:
                self.target.record_history(connection, self.applied, segment)
            except psycopg.Error as error:
                raise explain("the history", "", error) from None
        self.put_back = transaction.seal()
        if not self.context.rules.watches:
            record = (self.foreseen or self._as_it_is)(segment)
            self.target.record_schema(connection, record, segment)

    def _had(self, step: Step | None, first: Work[Done], again: Work[Done]) -> Done:
        """What is done ``first``, and after a lock that was not had ``again``, with the whole batch
        before it. ``step`` is where the batch is, None where it is empty."""
        most, connection = self.context.config.lock_attempts, self.target.connection
        self._attempts = self._attempts or LockAttempts(most, self.progress, connection)
        let_go = self._let_go_seed if step and step.kind is Kind.SEED else self.roll_back
        return self._attempts.had(step, first, partial(self._again, again), let_go)

    def _let_go_seed(self, *, keep_files: bool = False) -> None:
        """One that was refused has undone itself: what the batch has made can be judged."""
        at = self.transaction and self.transaction.connection.info.transaction_status
        if not keep_files or at is not TransactionStatus.INTRANS:
            self.roll_back(keep_files=keep_files)

    def _again(self, work: Work[Done]) -> Done:
        """The whole batch once more, up to where it met a lock, and that. What no transaction has
        held is there already."""
        self.applied[:] = [
            (file, done if file.transaction == "none" else self._file(file))
            for file, done in self.applied
        ]
        return work()

    def _as_it_is(self, _: int) -> SchemaRecord:
        schema = self.sealed_schema = self.target.read_schema(self.opened().connection)
        return SchemaRecord(fingerprint=schema)

    def detach(self) -> None:
        """The transaction has ended, or nobody knows: nothing more is done in it."""
        if self.transaction is not None:
            self.locks_held_s = max(self.locks_held_s, self.transaction.locks.held_s)
        self.transaction = None

    def committed(self) -> None:
        """What was applied is in the database: the next segment begins with nothing."""
        self.detach()
        self.sealed_schema = None
        self.committed_before = True
        self._last = self._attempts = None
        self._segment += 1
        self.applied.clear()
        self.outside.clear()
        self.checked_in.clear()

    def roll_back(self, *, keep_files: bool = False) -> None:
        """Undo what is not committed. Never raises: a lost connection has rolled back as well."""
        if self.transaction is None:
            if self._unasked:  # Ctrl-C came while it was being asked
                self._ask_what_became_of(self._unasked)
            return
        connection, xid = self.transaction.connection, self.transaction.xid
        self.detach()
        running = [each for each in self._ahead.values() if not (each.cancel() or each.done())]
        for future in running:
            connection.cancel_safe()
            future.exception()
        self._ahead.clear()
        if not keep_files:
            self.applied.clear()
        self._unasked = xid if self.suspect else ""
        ended = connection.closed or connection.info.transaction_status is TransactionStatus.IDLE
        if not ended:
            try:
                connection.execute(ROLLBACK)
            except psycopg.Error:
                connection.close()
        if self.suspect or (ended and not connection.closed):
            self._ask_what_became_of(xid)

    def _ask_what_became_of(self, xid: str) -> None:
        """What is said of a run whose test has committed by force, and gone on, must be true.
        Nothing else commits behind our back: a connection lost elsewhere has rolled back."""
        status = self.target.connection.status_now(xid)
        self.escaped = self.escaped or status == "committed"
        self.ended_unseen = "" if status in ("committed", "aborted") else xid
        self._unasked = ""

    def _file(self, file: SqlFile) -> Applied:
        text = self.context.files.text(file)
        if self.context.options.records_only:
            self.opened()
            return Applied(statements=0, rows=0, duration_s=0.0)
        if file.transaction == "none":
            return self._apply_outside(file, text)
        self.target.before_file(self.opened().connection, file.path)
        return self.opened().apply(file, text)

    def _apply_outside(self, file: SqlFile, text: str) -> Applied:
        """A file that no transaction can hold: in autocommit, and there until it is recorded."""
        connection = self.target.connection.get()
        if not self.begun:
            self.target.after_begin(connection, first=True)
        self.begun = True
        self.target.before_file(connection, file.path)
        started = perf_counter()
        limits = limited(connection, text, self.context.config) if self.locks else nullcontext()
        try:
            with limits:
                fresh = self.context.rules.throwaway
                resumed = autocommit.apply(connection, file, text, fresh=fresh)
        except LeftBehind:
            self.outside.append(file.path)
            raise
        self.outside.append(file.path)
        return Applied(statements=1, rows=0, duration_s=perf_counter() - started, put_back=resumed)

    def _run_ahead(self, step: Step) -> None:
        """Let the server work on the next files while pytest reports this one, in this transaction,
        as far as nothing else runs between them; each outcome is looked at by its own item."""
        if self.context.options.records_only:
            return
        for upcoming in self.upcoming:
            if (
                upcoming is None
                or upcoming.phase is not Phase.APPLY  # of seeds, each waits for the one before
                or upcoming.segment != step.segment
                or self.transaction is None
            ):
                return
            if upcoming.id in self._ahead:
                continue
            if upcoming.path in self.context.plan.rollbacks.ends:
                return  # its schema is read before it is applied
            work = partial(self._file_ahead, self.transaction, self.context.files.of(upcoming))
            self._ahead[upcoming.id] = self._worker.submit(work)

    def _file_ahead(self, transaction: Transaction, file: SqlFile) -> Applied:
        """Its text is made when its turn comes: of all that wait there may be no room for."""
        return transaction.apply_in_thread(file, self.context.files.text(file))
