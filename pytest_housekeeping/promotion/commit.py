"""The COMMIT of a segment, and the truth about it whatever happens on the way.

A COMMIT that is not answered may have happened. The transaction's id was noted before it was
sent, and ``pg_xact_status`` tells over a new connection what became of it, as long as the server
remembers it: https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
So a run ends with what is true, or says that nobody knows; it never guesses.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import psycopg

from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import Step
from pytest_housekeeping.postgres.transaction import Transaction, explain
from pytest_housekeeping.promotion.batch import Batch


class CommitLog(Protocol):
    """Where commits are noted before and after they happen; the journal of a run is one."""

    def committing(self, segment: int, xid: str | None) -> None: ...
    def committed(self, segment: int) -> None: ...
    def rolled_back(self, segment: int) -> None: ...


@dataclass(kw_only=True)
class Commits:
    """The COMMITs of a run. ``segments`` are in the database; ``doubtful``: of one nobody knows."""

    batch: Batch
    segments: list[int] = field(default_factory=list)
    doubtful: bool = False
    _log: CommitLog | None = None
    _in_doubt: tuple[Transaction, Step] | None = None

    def log_to(self, log: CommitLog) -> None:
        """Note every commit there from now on."""
        self._log = log

    def commit(self, step: Step) -> None:
        """Commit the batch of a segment, whose every required step has passed.

        Raises ProofFailed when what was proved is not what would be committed, and when nobody
        can say whether it was committed; SqlFailed when PostgreSQL refused it.
        """
        batch = self.batch
        batch.seal()
        transaction = batch.opened()
        transaction.prove()
        self._prove_evidence(transaction, step)
        batch.target.before_commit(transaction.connection, batch.applied, step.segment)
        if self._log is not None:
            self._log.committing(step.segment, transaction.xid)
        interrupted: BaseException | None = None
        self._in_doubt = (transaction, step)
        try:
            transaction.connection.execute("COMMIT")
        except psycopg.Error as error:
            self._find_out(transaction, step, error)
        except KeyboardInterrupt as error:
            # The COMMIT may have reached the server: what is true has to be asked for.
            interrupted = error
            self._find_out(transaction, step, psycopg.OperationalError("interrupted"))
        self._done(step)
        if interrupted is not None:
            raise interrupted

    def resolve(self) -> Step | None:
        """After Ctrl-C between COMMIT and what follows it: the step, if it did commit."""
        if self._in_doubt is None:
            return None
        transaction, step = self._in_doubt
        with suppress(HousekeepingError):
            self._find_out(transaction, step, psycopg.OperationalError("interrupted"))
            self._done(step)
            return step
        return None

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

    def _done(self, step: Step) -> None:
        if step.segment not in self.segments:
            self.segments.append(step.segment)
        self._in_doubt = None
        self.batch.committed()
        if self._log is not None:
            self._log.committed(step.segment)

    def _find_out(self, transaction: Transaction, step: Step, error: psycopg.Error) -> None:
        """COMMIT did not answer: ask what is true, and return only if it committed."""
        self.batch.detach()
        status = self.batch.target.connection.status_of(transaction.xid)
        if status == "committed":
            return
        self._in_doubt = None
        if status == "aborted":
            if self._log is not None:
                self._log.rolled_back(step.segment)
            raise explain("COMMIT", "", error) from None
        self.doubtful = True
        raise ProofFailed(
            f"the connection was lost during COMMIT, and transaction {transaction.xid}"
            f" is {status or 'unknown to the server'}",
            why="the batch may or may not be in the database",
            fix=f"ask the server: SELECT pg_xact_status('{transaction.xid}'::xid8)",
        )
