"""The COMMIT of a segment, and the truth about it whatever happens on the way.

A COMMIT that is not answered may have happened. The transaction's id was noted before it was
sent, and ``pg_xact_status`` tells over a new connection what became of it, as long as the server
remembers it: https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
So a run ends with what is true, or says that nobody knows; it never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from pytest_housekeeping.errors import EvidenceError, HousekeepingError, ProofFailed
from pytest_housekeeping.evidence.journal import Journal
from pytest_housekeeping.evidence.schema_states import SchemaStates, schema_states
from pytest_housekeeping.model import Kind, Step, StepResult
from pytest_housekeeping.plan.steps import SCHEMA
from pytest_housekeeping.postgres.before_commit import prove_server
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.transaction.batch import Batch
from pytest_housekeeping.promotion.transaction.behind_commit import (
    NOT_READ,
    PATIENCE_S,
    Look,
    look_behind_commit,
)
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import Difference, listed
from pytest_housekeeping.snapshot.fingerprint import Fingerprint


@dataclass(kw_only=True)
class Commits:
    """The COMMITs of a run.

    ``segments`` are those that are in the database; ``doubtful``: whether one more is, nobody could
    tell. ``looks`` has what was read of the schema after the COMMIT of each segment, and
    ``unproved`` how it differs from what was proved, or why it could not be read; "" where it is
    the same. ``at_commit`` is called after each COMMIT with the number of the segment.
    ``journal`` notes each COMMIT before and after it.
    """

    batch: Batch
    at_commit: Callable[[int], None] = lambda _: None
    segments: list[int] = field(default_factory=list)
    doubtful: bool = False
    unproved: str = ""
    looks: dict[int, Look] = field(default_factory=dict)
    journal: Journal | None = None
    _in_doubt: tuple[Transaction, Step] | None = None
    _unread: tuple[Step, Fingerprint] | None = None

    def commit(self, step: Step) -> None:
        """Commit the batch of a segment, whose every required step has passed.

        Raises ProofFailed when what was proved is not what would be committed, and when nobody
        can say whether it was committed; SqlFailed when PostgreSQL refused it. Behind COMMIT the
        first thing is to read the schema again: ``looks``.
        """
        batch = self.batch
        batch.seal(step.segment)
        transaction = batch.opened()
        transaction.prove()
        self._prove_evidence(transaction, step)
        proved = self._prove_schema(transaction, step)
        if self.journal is not None:
            self.journal.committing(step.segment, transaction.xid)
        interrupted: BaseException | None = None
        self._in_doubt, self._unread = (transaction, step), (step, proved)
        try:
            transaction.connection.execute("COMMIT")
        except psycopg.Error as error:
            self._find_out(transaction, step, error)
        except KeyboardInterrupt as error:
            # The COMMIT may have reached the server: what is true has to be asked for.
            interrupted = error
            self._find_out(transaction, step, psycopg.OperationalError("interrupted"))
        self._done(step)
        self._note_committed(step)
        self._look_again(step, proved)
        if interrupted is not None:
            raise interrupted

    def refuse_long_locks(self) -> None:
        """Raises ProofFailed when others have been waiting for longer than they may."""
        limit, transaction = self.batch.context.config.max_locks_held, self.batch.transaction
        held = transaction.locks.held_s if transaction else 0.0
        if limit and held > limit:
            self.batch.roll_back()
            raise ProofFailed(
                f"others have been waiting for {held:.1f} s, and max_locks_held is {limit:g} s",
                why="what runs after the first strong lock is waiting time for somebody",
                fix="take the slow part out of the batch, or raise max_locks_held",
            )

    def resolve(self) -> Step | None:
        """After Ctrl-C between COMMIT and what follows it: the step, if it did commit.

        The schema behind that COMMIT is read then, if it was not; ``unproved`` says what differs.
        """
        if self._in_doubt is not None:
            transaction, step = self._in_doubt
            with suppress(HousekeepingError):
                self._find_out(transaction, step, psycopg.OperationalError("interrupted"))
                self._done(step)
                self._note_committed(step)
        if self._unread is None:
            return None
        step, proved = self._unread
        if step.segment not in self.segments:
            return None
        # Ctrl-C is put off by now, and whoever presses it does not want to wait.
        self._look_again(step, proved, patience_s=0.0)
        return step

    def seen_behind(self, step: Step) -> StepResult:
        """What was seen behind the COMMIT that this step follows.

        Raises ProofFailed where the schema is not known to be the one that was proved.
        """
        look = self.looks.get(step.segment - 1, Look(unread=NOT_READ))
        look.refuse(self.batch.context.config.target.option)
        return look.result(step)

    def schema_states(self) -> SchemaStates:
        """The schema that the run has found, and that it has seen behind its last COMMIT."""
        look = self.looks.get(max(self.segments, default=0))
        left = look.schema if look and not self.doubtful else None
        target, config = self.batch.target, self.batch.context.config
        return schema_states(target.kept.found, left, config.may_move)

    def all_seen(self) -> Iterator[StepResult]:
        """What was seen behind each COMMIT, as the results of their steps."""
        for step in self.batch.context.plan.steps:
            look = self.looks.get(step.segment - 1)
            if step.kind is Kind.AFTER and step.name == SCHEMA and look is not None:
                yield look.result(step)

    def _prove_evidence(self, transaction: Transaction, step: Step) -> None:
        """What passed has passed in this very transaction. Raises ProofFailed."""
        context = self.batch.context
        segment = context.plan.segments[step.segment - 1]
        files = [file.path for file in segment.files if file.transaction != "none"]
        if context.is_last(step.segment):
            files += [file.path for file in context.plan.seeds]
        if context.options.records_only:
            files = []
        elsewhere = self.batch.checked_in - {transaction.xid}
        if transaction.applied != files or elsewhere:
            self.batch.roll_back()
            raise ProofFailed(
                "what was proved is not what would be committed: "
                + (f"checks ran in transaction {', '.join(elsewhere)}" if elsewhere else "")
                + f" {len(transaction.applied)} of {len(files)} files are in {transaction.xid}",
                why="evidence of another transaction says nothing of this one",
                fix="run again",
            )

    def _prove_schema(self, transaction: Transaction, step: Step) -> Fingerprint:
        """The last thing before COMMIT: the schema is the one that was verified, on a copy or here.

        Raises ProofFailed with what differs.
        """
        proved = self.batch.sealed_schema
        try:
            prove_server(transaction.connection)
            self.batch.target.prove_history(transaction.connection)
        except HousekeepingError:
            self.batch.roll_back()
            raise
        now = self.batch.target.read_schema(transaction.connection)
        if self.batch.prove_same is not None:
            self._prove_same(transaction, now, step.segment)
            return now
        changed = self._moved(proved, now) if proved is not None else ()
        if proved is None or changed:
            self.batch.roll_back()
            raise ProofFailed(
                f"after it was verified, the schema was changed: {listed(changed)}",
                why="what would be committed is not what the checks have seen",
                fix="look for a check that changes the schema and whose change was not rolled back",
            )
        return now

    def _prove_same(self, transaction: Transaction, now: Fingerprint, segment: int) -> None:
        """What the batch has made is what it made of the copy. Where it is spelt otherwise than was
        foreseen, its record is written anew: by us, into a table that nobody else can write to or
        alter since it was looked at."""
        batch = self.batch
        try:
            if batch.prove_same is not None and batch.foreseen is not None:
                record = batch.prove_same(now, segment)
                if record is not batch.foreseen(segment):
                    batch.target.record_schema(transaction.connection, record, segment)
        except HousekeepingError:
            batch.roll_back()
            raise

    def _look_again(
        self, step: Step, proved: Fingerprint, *, patience_s: float = PATIENCE_S
    ) -> None:
        """Read the schema right after COMMIT: what ran during it may have changed the schema."""
        batch = self.batch
        with batch.progress.doing("reading the schema again, behind COMMIT"):
            look = look_behind_commit(
                batch.target, proved, batch.context.config, patience_s=patience_s
            )
        self.looks[step.segment] = look
        self.unproved, self._unread = look.said, None

    def _moved(self, before: Fingerprint, after: Fingerprint) -> Sequence[Difference]:
        """The differences that the setting ``may_move`` does not declare."""
        return split_declared(before, after, self.batch.context.config.may_move).others

    def _done(self, step: Step) -> None:
        if step.segment not in self.segments:
            self.segments.append(step.segment)
            self.unproved = NOT_READ
        self._in_doubt = None
        self.batch.committed()
        self.at_commit(step.segment)

    def _note_committed(self, step: Step) -> None:
        """A journal that cannot be written changes nothing about what is in the database.

        What it lacks is in the audit; where that cannot be written either, the next run asks.
        """
        if self.journal is not None:
            with suppress(EvidenceError):
                self.journal.committed(step.segment)

    def _find_out(self, transaction: Transaction, step: Step, error: psycopg.Error) -> None:
        """COMMIT did not answer: ask what is true, and return only if it committed."""
        self.batch.detach()
        status = self.batch.target.connection.status_of(transaction.xid)
        if status == "committed":
            return
        self._in_doubt = None
        if status == "aborted":
            if self.journal is not None:
                self.journal.rolled_back(step.segment)
            raise explain("COMMIT", "", error) from None
        self.doubtful = True
        raise ProofFailed(
            f"the connection was lost during COMMIT, and transaction {transaction.xid}"
            f" is {status or 'unknown to the server'}",
            why="the batch may or may not be in the database",
            fix="run again, as soon as the server answers: it is asked what has become of that, and"
            " the run goes on from there; by hand:"
            f" SELECT pg_xact_status('{transaction.xid}'::xid8)",
        )
