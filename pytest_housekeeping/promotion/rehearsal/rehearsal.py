"""The batch on a copy of production, where nobody waits: applied, committed there, and judged.

What the schema decides is proved on the copy. What production gets is then compared with what the
copy got, object by object: equal catalogs answer equally, so the verdicts hold for production too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.rows.catalog import RowCatalog
from pytest_housekeeping.checks.rows.question import Question, Unasked
from pytest_housekeeping.checks.rows.read_catalog import read_row_catalog
from pytest_housekeeping.errors import ProofFailed, listed
from pytest_housekeeping.model import Applied, Step
from pytest_housekeeping.postgres.batch_facts import BatchFacts
from pytest_housekeeping.postgres.connection import Connection, LentConnection, rolled_back
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.postgres.session_state import local_settings
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.known_restores import KnownRestores
from pytest_housekeeping.promotion.rehearsal.facts import Measurement, look_at
from pytest_housekeeping.promotion.rehearsal.foreseen import foreseen_locks
from pytest_housekeeping.promotion.rehearsal.twin_target import TwinTarget
from pytest_housekeeping.promotion.transaction.batch import Batch
from pytest_housekeeping.snapshot.compare.batches import SchemaChange, unlike_changes, with_changes
from pytest_housekeeping.snapshot.copies.proof import BackupProof
from pytest_housekeeping.snapshot.copies.server import RESTORER
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord


@dataclass(kw_only=True)
class Rehearsal:
    """The batch on the copy. ``changes`` is, by segment, what became of its schema there;
    ``original`` reads production's schema as it was before the batch. ``look`` is called with 0
    before anything of it is applied, and with the number of each segment but the last when that is
    in the copy. ``questions`` are what production's rows are asked, once that is known, ``denied``
    those that its role may not ask. ``known`` is where it may be known that the last result
    restores; ``dumping`` is its dump, where it is not, and ``restoring`` the proof."""

    context: RunContext
    target: TwinTarget
    original: Callable[[], Fingerprint]
    look: Callable[[int], None] = lambda _: None
    changes: dict[int, SchemaChange] = field(default_factory=dict)
    denied: tuple[Question, ...] = ()
    questions: tuple[Question | Unasked, ...] | None = None
    known: Callable[[], KnownRestores | None] = lambda: None
    dumping: Future[bytes] | None = None
    restoring: Future[BackupProof] | None = None
    _facts: dict[int, Future[BatchFacts]] = field(default_factory=dict)
    _measurements: dict[int, Measurement] = field(default_factory=dict)
    _seconds: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    _batch: Batch | None = None
    _judging: LentConnection | None = None
    _original: Fingerprint | None = None
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=3))
    _expected: dict[int, SchemaRecord] = field(default_factory=dict)
    _rows_before: Future[RowCatalog] | None = None
    _rows_after: Future[RowCatalog] | None = None

    @property
    def facts(self) -> dict[int, BatchFacts]:
        """What the batch did on the way, by segment."""
        return {number: told.result() for number, told in self._facts.items()}

    @property
    def role(self) -> str:
        """As whom the batch is applied."""
        return self.target.user

    @property
    def seconds(self) -> dict[int, float]:
        """How long the files of each segment took, by its number."""
        return dict(self._seconds)

    @property
    def batch(self) -> Batch:
        """The files of the present segment, in their transaction on the copy."""
        if self._batch is None:
            self._batch = Batch(context=self.context, target=self.target, measured=True)
        return self._batch

    def apply(self, step: Step) -> Applied:
        """Apply a file to the copy. Raises SqlFailed when PostgreSQL refuses it."""
        self._end_judging()
        measurement, file = self._measured(step.segment), self.context.files.of(step)
        applied = self.batch.apply(step)
        if not self.context.options.records_only:  # of a baseline nothing runs
            measurement.applied(step, file, self.context.files.text(file), applied)
        self._seconds[step.segment] += applied.duration_s
        return applied

    @contextmanager
    def judging(self, segment: int) -> Iterator[Connection]:
        """The connection for one check of a segment, in a savepoint that is rolled back.

        It acts as production's own role would, but may take on every other role: what an
        application may do is shown without making the migrating role its member.
        """
        self.seal(segment)
        if self._judging is None:
            self._judging = self._judging_session()
        with rolled_back(self._judging):
            yield self._judging

    @contextmanager
    def judging_beside(self) -> Iterator[Connection]:
        """Another session of that kind, once the batch is in the copy."""
        connection = self._judging_session()
        try:
            yield connection
        finally:
            connection.close()

    def _judging_session(self) -> LentConnection:
        connection = self.target.twin.connect(settings=self.context.config.session)
        settings, role = sql.SQL(local_settings(self.context.config)), sql.Identifier(self.role)
        begun = sql.SQL("BEGIN; {}; SET LOCAL row_security = on; SET LOCAL ROLE {}")
        connection.execute(begun.format(settings, role))
        return connection

    @contextmanager
    def sealed(self, segment: int) -> Iterator[Transaction]:
        """The transaction of a segment when all its files are applied, in a savepoint that is
        rolled back."""
        self._end_judging()
        with self.batch.sealed(segment) as transaction:
            yield transaction

    def seal(self, segment: int) -> None:
        """The batch of a segment is in the copy, and what it has changed there is known.

        Raises SqlFailed when a deferred constraint does not hold, and ProofFailed when the
        history was touched.
        """
        if segment in self.changes or self.context.rules.watches:
            return
        before = self.changes[segment - 1].after if segment > 1 else self.target.twin.schema
        batch, measurement = self.batch, self._measured(segment)
        batch.seal(segment)
        transaction, after = batch.opened(), batch.sealed_schema
        transaction.prove()
        self.target.prove_history(transaction.connection)
        late = transaction.locks.take_new(transaction.connection)
        transaction.connection.execute("COMMIT")
        batch.committed()
        if after is not None:
            change = SchemaChange(before=before.without(f"role {RESTORER}"), after=after)
            self.changes[segment] = change
            facts, beside = measurement.facts_seen, self.judging_beside
            self._facts[segment] = self._worker.submit(facts, beside, change, late)
        if self.context.is_last(segment):
            self._restore(segment)
        else:
            wait([self._facts[segment]])  # nothing of the next one is in it
            self.look(segment)

    def _measured(self, segment: int) -> Measurement:
        """What is gathered of a segment, begun before anything of it is applied."""
        if segment not in self._measurements:
            ours = self.context.config.history_schema
            if not self._measurements:
                self._rows_before = self._worker.submit(self._read_rows)
                self.look(0)
            before = look_at(self.target.connection.get(), ours)
            wait(filter(None, [self._rows_before]))
            made = Measurement(segment=segment, before=before, history_schema=ours)
            self._measurements[segment] = made
        return self._measurements[segment]

    def _read_rows(self) -> RowCatalog:
        with self.printing() as connection:
            return read_row_catalog(connection, excluded=[self.context.config.history_schema])

    @contextmanager
    def printing(self) -> Iterator[Connection]:
        """A connection that reads what is committed on the copy, in a transaction."""
        connection = self.target.twin.connect()
        try:
            connection.execute("BEGIN READ ONLY")
            yield connection
        finally:
            connection.close()

    def row_catalogs(self) -> tuple[RowCatalog, RowCatalog]:
        """Before the batch and after all of it. Raises ProofFailed where nothing was rehearsed."""
        before, after = self._rows_before, self._rows_after
        if before is None or after is None:
            raise ProofFailed(
                "nothing was rehearsed",
                why="what rows can refuse is what the batch has changed on the copy",
                fix="run the whole plan",
            )
        return before.result(), after.result()

    def locks(self, segment: int) -> ForeseenLocks:
        """What the batch of a segment will lock, to be asked for before it is needed."""
        if segment not in self.facts:
            return ForeseenLocks()
        return foreseen_locks(self.context, self.facts[segment], self._seconds[segment])

    def foresee(self, segment: int) -> None:
        """The schema that production will have, if it gets what the copy got: made ready, and where
        it is put on record that as well, so that nobody waits for it under a lock."""
        before = self._expected[segment - 1].fingerprint if segment > 1 else self.original()
        expected = SchemaRecord(fingerprint=with_changes(before, self.changes[segment]))
        expected.make_ready(packed=self.context.rules.changes_production)
        self._expected[segment] = expected

    def foreseen(self, segment: int) -> SchemaRecord:
        """What was made ready to be put on record of a segment. Raises ProofFailed without it."""
        expected = self._expected.get(segment)
        if expected is None:
            raise ProofFailed(
                f"segment {segment} was not rehearsed",
                why="what the schema decides is proved on the copy of production",
                fix="run the whole plan",
            )
        return expected

    def prove_same(self, schema: Fingerprint, segment: int) -> SchemaRecord:
        """What a segment has made of production, whose ``schema`` it now is, is what it has made
        of the copy. Returns what is to be put on record of it.

        Raises ProofFailed with each object that differs, and both texts.
        """
        expected, rehearsed = self.foreseen(segment), self.changes[segment]
        before, self._original = self._original or self.original(), schema
        if schema.is_as(expected.fingerprint):
            return expected
        self._end_judging()
        unlike = unlike_changes(
            self.target.twin.copy.connection,
            rehearsed,
            SchemaChange(before=before, after=schema),
            may_move=self.context.config.may_move,
            stubs=self.target.twin.stubs,
        )
        if unlike:
            shown = listed([str(each) for each in unlike], 10)
            raise ProofFailed(
                f"the batch has made something else of production than of its copy:{shown}",
                why="the checks have judged the copy, and nobody has judged this",
                fix="write down what the files make, so that it does not depend on rows, on names"
                " or on the clock; or prove inside production's own transaction: --hk-in-place",
            )
        return SchemaRecord(fingerprint=schema)

    def close(self) -> None:
        """End its connections. Never raises."""
        with suppress(psycopg.Error):
            self._end_judging()
        if self._batch is not None:
            self._batch.roll_back()
        self.target.close()

    def _end_judging(self) -> None:
        judging, self._judging = self._judging, None
        if judging is not None:
            judging.close()

    def prove_restores(self, segment: int) -> BackupProof:
        """What the batch has made can be dumped and restored, so that the next one can be proved.

        Raises BackupNotProved, naming the object that does not restore.
        """
        self.seal(segment)
        if self.restoring is None:
            raise ProofFailed("nothing was restored", why="the next backup may not restore either")
        return self.restoring.result()

    def dumped(self) -> None:
        """Wait until whoever reads the result has let go of it: a check may lock what they hold."""
        beside = (self.dumping, self._rows_after, *self._facts.values())
        wait(list[Future[Any]](filter(None, beside)))

    def _restore(self, segment: int) -> None:
        """Dump and read the result while checks read the catalog, restore it while all go on."""
        twin, expected, known = self.target.twin, self.changes[segment].after, self.known()
        shown = known.read() if known else None
        dumping = self.dumping = None if shown else self._worker.submit(twin.dump)
        self._rows_after = self._worker.submit(self._read_rows)

        def restored() -> BackupProof:
            proof = shown or twin.prove_restores(dumping.result() if dumping else b"", expected)
            return known.keep(proof) if known and not shown else proof

        self.restoring = self._worker.submit(restored)
        self._worker.shutdown(wait=False)
