"""The use case: run the steps of a plan in its one transaction, decide, commit or roll back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import TransactionStatus

from pytest_housekeeping.checks.rollbacks import prove_round_trips, unprovable_rollback
from pytest_housekeeping.errors import HousekeepingError, ProofFailed, SqlFailed
from pytest_housekeeping.model import (
    Applied,
    Kind,
    Mode,
    Outcome,
    Phase,
    RunOutcome,
    Step,
    StepResult,
    Verdict,
)
from pytest_housekeeping.plan.rollback_files import NEEDED
from pytest_housekeeping.plan.steps import MUTANTS
from pytest_housekeeping.postgres.connection import BACK, Connection
from pytest_housekeeping.postgres.transaction import Transaction, begin, explain
from pytest_housekeeping.promotion import autocommit as alone
from pytest_housekeeping.promotion.context import Surroundings
from pytest_housekeeping.promotion.dispatch import judge, only_reads
from pytest_housekeeping.sql.file import SqlFile

# lock_not_available, deadlock_detected, serialization_failure: another attempt may succeed.
RETRIED = ("55P03", "40P01", "40001")
ATTEMPTS = 5
_FATAL = (Phase.PRECHECK, Phase.BACKUP, Phase.APPLY, Phase.SEED)
# A watch says all that is wrong: only what makes the database the wrong one ends it.
_TOLD_IN_A_WATCH = ("history", "roles", "drift")


@dataclass(kw_only=True)
class Promotion:
    """One run of one plan. ``run`` works a step, ``record`` takes down how its item ended.

    Only what was recorded as passed counts for the commit; what was never reported has not
    passed, whatever the reason.
    """

    around: Surroundings
    results: dict[str, StepResult] = field(default_factory=dict)
    promoted: list[int] = field(default_factory=list)
    doubtful: bool = False
    transaction: Transaction | None = None
    upcoming: Sequence[Step | None] = ()
    locks_held_s: float = 0.0
    attempts: list[str] = field(default_factory=list)
    _troubles: list[StepResult] = field(default_factory=list)
    _ahead: dict[str, Future[Applied]] = field(default_factory=dict)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))
    _test_scope: ExitStack | None = None
    _in_doubt: tuple[Transaction, Step] | None = None
    _applied: list[tuple[SqlFile, Applied]] = field(default_factory=list)
    _alone: list[str] = field(default_factory=list)
    _judged_in: set[str] = field(default_factory=set)
    _trips: tuple[str, Mapping[str, Verdict]] | None = None
    _begun: bool = False

    def blocker(self, step: Step) -> str | None:
        """The id of the earlier step because of which this one cannot run."""
        if step.kind in (Kind.LINT, Kind.PRECHECK) and step.name != "history":
            fatal: tuple[Phase, ...] = (Phase.PRECHECK,) if step.kind is Kind.PRECHECK else ()
        else:
            fatal = _FATAL
        for result in self._troubles:
            earlier = result.step
            if self.around.plan.mode is Mode.VERIFY and earlier.name in _TOLD_IN_A_WATCH:
                continue
            if earlier.phase in fatal and earlier.segment <= step.segment:
                return earlier.id
            if earlier.kind is Kind.PROMOTE and earlier.segment < step.segment:
                return earlier.id
            if step.kind is Kind.PROMOTE and result.outcome is Outcome.FAILED:
                return earlier.id
        return None

    def run(self, step: Step) -> StepResult:
        """Work one step. Raises HousekeepingError when it fails."""
        return _WORK[step.kind](self, step)

    def record(self, result: StepResult) -> None:
        """Take down how the item of a step ended, once and for all."""
        before = self.results.get(result.step.id)
        if before is None or before.outcome is Outcome.PASSED:
            self.results[result.step.id] = result
            if result.outcome is not Outcome.PASSED:
                self._troubles.append(result)

    @contextmanager
    def checking(self) -> Iterator[Connection]:
        """The connection for one check: inside a savepoint that is rolled back, then proved."""
        transaction = self.opened()
        self._judged_in.add(transaction.xid)
        if transaction.connection.info.transaction_status is not TransactionStatus.INTRANS:
            transaction.prove()
        transaction.connection.execute("SAVEPOINT hk_check")
        try:
            yield transaction.connection
        except BaseException:
            if not transaction.connection.closed:
                transaction.connection.execute(BACK)
            raise
        transaction.prove(first=BACK)

    def enter_test(self) -> None:
        """Before a test under ``checks/`` is set up: a savepoint, so that nothing of it stays."""
        self._seal()
        self._test_scope = ExitStack()
        self._test_scope.enter_context(self.checking())

    def leave_test(self) -> None:
        """After its teardown. Raises ProofFailed when the test ended the transaction."""
        scope, self._test_scope = self._test_scope, None
        if scope is not None:
            scope.close()

    def opened(self) -> Transaction:
        """The open transaction of the present segment; begun when it is first asked for."""
        if self.transaction is None:
            self._begun = True
            plan = self.around.plan
            self.transaction = begin(
                self.around.migrator(),
                self.around.config,
                watching=plan.mode is Mode.VERIFY,
                read_only=not plan.canaries,
            )
            first = not (self.promoted or self._alone)
            self.around.after_begin(self.transaction.connection, first=first)
        return self.transaction

    def roll_back(self, *, keep_files: bool = False) -> None:
        """Undo what is not committed. Never raises: a lost connection has rolled back as well."""
        self._resolve()
        if self.transaction is None:
            return
        self.locks_held_s = max(self.locks_held_s, self.transaction.locks_held_s)
        connection, xid = self.transaction.connection, self.transaction.xid
        self.transaction = None
        running = [each for each in self._ahead.values() if not (each.cancel() or each.done())]
        for future in running:
            connection.cancel_safe()
            future.exception()
        self._ahead.clear()
        if not keep_files:
            self._applied.clear()
        if connection.closed:
            return
        if connection.info.transaction_status is TransactionStatus.IDLE:
            # Something has ended it behind our back: what is said of the run must be true then.
            self.doubtful = self.around.status_of(xid) != "aborted"
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()

    def outcome(self) -> RunOutcome:
        """What is true of the target now."""
        if self.doubtful:
            return RunOutcome.UNKNOWN
        if self.around.plan.mode is Mode.VERIFY and not self._lacking(self.around.plan.steps):
            return RunOutcome.NOTHING_TO_PROMOTE
        if len(self.promoted) == len(self.around.plan.segments):
            pending = any(segment.files for segment in self.around.plan.segments)
            return RunOutcome.PROMOTED if pending else RunOutcome.NOTHING_TO_PROMOTE
        if self.promoted or self._alone:
            return RunOutcome.PROMOTED_IN_PART
        return RunOutcome.ROLLED_BACK if self._begun else RunOutcome.REFUSED

    def unproved(self, promote: Step) -> list[str]:
        """The required steps up to this promote without a recorded pass, and how they stand."""
        return self._lacking(
            step
            for step in self.around.plan.steps
            if step.kind is not Kind.PROMOTE and step.segment <= promote.segment
        )

    def _lacking(self, steps: Iterable[Step]) -> list[str]:
        missing = []
        for step in steps:
            result = self.results.get(step.id)
            if result is None:
                missing.append(f"{step.id} (never reported)")
            elif result.outcome is not Outcome.PASSED:
                missing.append(f"{step.id} ({result.outcome})")
        return missing

    # -- one method a kind of step ---------------------------------------------------------

    def _precheck(self, step: Step) -> StepResult:
        return _judged(step, *self.around.precheck(step.name))

    def _backup(self, step: Step) -> StepResult:
        return _judged(step, *self.around.back_up(step.name))

    def _apply(self, step: Step) -> StepResult:
        file = self.around.file(step)
        ahead = self._ahead.get(step.id)
        try:
            applied = ahead.result() if ahead else self._file(file)
        except SqlFailed as error:
            self.roll_back(keep_files=True)
            if error.sqlstate not in RETRIED or file.transaction == "none":
                raise self.around.advised(error) from None
            applied = self._again(step, error)
        except HousekeepingError:
            self.roll_back()
            raise
        self._ahead.pop(step.id, None)
        self._applied.append((file, applied))
        self._run_ahead(step)
        said = [f"{applied.statements} statements, {applied.rows} rows"]
        said += [f"put back: {', '.join(applied.put_back)}"] if applied.put_back else []
        said += self.attempts
        return StepResult(
            step=step,
            outcome=Outcome.PASSED,
            examined=applied.statements,
            statements=applied.statements,
            rows=applied.rows,
            locks=applied.locks,
            duration_s=applied.duration_s,
            message="; ".join(said),
        )

    def _again(self, step: Step, error: SqlFailed) -> Applied:
        """The whole batch once more, up to and with this file: somebody else held a lock.

        Nothing was committed, so nothing is lost by beginning again. Raises the last refusal.
        """
        file = self.around.file(step)
        for attempt in range(2, ATTEMPTS + 1):
            self.attempts.append(f"attempt {attempt - 1}: {error.found.splitlines()[0]}")
            jitter = random.uniform(0.5, 1.5)  # noqa: S311
            time.sleep(jitter * 0.1 * 2**attempt)
            try:
                again = [(earlier, self._file(earlier)) for earlier, _ in self._applied]
                applied = self._file(file)
            except SqlFailed as failure:
                self.roll_back(keep_files=True)
                if failure.sqlstate not in RETRIED:
                    raise
                error = failure
                continue
            self._applied[:] = again
            return applied
        raise SqlFailed(
            f"{error.found}\nthe batch was tried {ATTEMPTS} times",
            why="somebody else holds what the batch needs",
            fix="look at pg_stat_activity for long transactions, and promote at a quieter time",
        )

    def _file(self, file: SqlFile) -> Applied:
        text = self.around.text(file)
        if self.around.records_only:
            self.opened()
            return Applied(statements=file.statements, rows=0, duration_s=0.0)
        if file.transaction == "none":
            return self._apply_alone(file, text)
        transaction = self.opened()
        self.around.before_file(transaction.connection, file.path)
        return transaction.apply(file, text)

    def _run_ahead(self, step: Step) -> None:
        """Let the server work on the next files while pytest reports this one.

        Only as far as nothing else runs between them, and in this transaction; the outcome of
        each is looked at when its own item runs.
        """
        if self.around.records_only:
            return
        for upcoming in self.upcoming:
            if (
                upcoming is None
                or upcoming.phase not in (Phase.APPLY, Phase.SEED)
                or upcoming.segment != step.segment
                or self.transaction is None
            ):
                return
            if upcoming.id in self._ahead:
                continue
            if upcoming.path in self.around.plan.rollbacks.ends:
                return  # looked at before it is applied
            file = self.around.file(upcoming)
            try:
                text = self.around.text(file)
            except (HousekeepingError, OSError):
                return  # its own item says so
            self._ahead[upcoming.id] = self._worker.submit(self.transaction.apply, file, text)

    def _apply_alone(self, file: SqlFile, text: str) -> Applied:
        """A file that no transaction can hold: in autocommit, and there until it is recorded."""
        if not self._begun:
            self.around.after_begin(self.around.migrator(), first=True)
        self._begun = True
        started = time.perf_counter()
        said = alone.apply(self.around.migrator(), file, text)
        self._alone.append(file.path)
        duration = time.perf_counter() - started
        return Applied(statements=1, rows=0, duration_s=duration, put_back=said)

    def _judge(self, step: Step) -> StepResult:
        self._seal()
        with self.checking() as connection:
            if only_reads(self.around, step):
                connection.execute("SET LOCAL transaction_read_only = on")
            verdict = judge(connection, self.around, step)
        tells = step.name == MUTANTS or step.kind is Kind.ROLLBACK
        said = "; ".join(verdict.evidence) if tells else ""
        return _judged(step, verdict, said)

    def _rollback(self, step: Step) -> StepResult:
        """What undoes: applied in a rollback; in staging proved, for all of them at once."""
        if step.phase is Phase.APPLY:
            return self._apply(step)
        if self.around.plan.mode is not Mode.STAGING or step.name == NEEDED:
            return self._judge(step)
        self._seal()
        transaction = self.opened()
        if self._trips is None or self._trips[0] != transaction.xid:
            with self.checking():
                verdicts = prove_round_trips(transaction, self.around.rollback_ground())
                self._trips = (transaction.xid, verdicts)
        self._judged_in.add(transaction.xid)
        verdict = self._trips[1].get(step.id) or unprovable_rollback(
            self.around.plan.rollbacks, step
        )
        return _judged(step, verdict, "; ".join(verdict.evidence))

    def _lint(self, step: Step) -> StepResult:
        return _judged(step, *self.around.style(step))

    def _promote(self, step: Step) -> StepResult:
        missing = self.unproved(step)
        if missing:
            self.roll_back()
            shown = missing[:20] + [f"... and {len(missing) - 20} more"] * (len(missing) > 20)
            raise ProofFailed(
                f"{len(missing)} required steps have no recorded pass:\n  " + "\n  ".join(shown),
                why="only evidence of passing allows the commit; nothing was changed",
                fix="run the whole plan; nothing of it may be deselected, skipped or xfailed",
            )
        limit = self.around.config.max_locks_held
        held = self.transaction.locks_held_s if self.transaction else 0.0
        if limit and held > limit:
            self.roll_back()
            raise ProofFailed(
                f"others have been waiting for {held:.1f} s, and max_locks_held is {limit:g} s",
                why="what runs after the first strong lock is waiting time for somebody",
                fix="take the slow part out of the batch, or raise max_locks_held",
            )
        files = sum(1 for file, _ in self._applied if file.kind is not Kind.SEED)
        self._commit(step)
        return StepResult(
            step=step,
            outcome=Outcome.PASSED,
            examined=sum(1 for each in self.around.plan.steps if each.segment <= step.segment),
            message=f"committed {files} files" if files else "nothing pending; nothing to commit",
        )

    def _commit(self, step: Step) -> None:
        self._seal()
        transaction = self.opened()
        transaction.prove()
        self._prove_evidence(transaction, step)
        self.around.before_commit(transaction.connection, self._applied, step.segment)
        if self.around.journal is not None:
            self.around.journal.committing(step.segment, transaction.xid)
        interrupted: BaseException | None = None
        self._in_doubt = (transaction, step)
        try:
            transaction.connection.execute("COMMIT")
        except psycopg.Error as error:
            self._settle(transaction, step, error)
        except KeyboardInterrupt as error:
            # The word may have reached the server: what is true has to be asked for.
            interrupted = error
            self._settle(transaction, step, psycopg.OperationalError("interrupted"))
        self._committed(transaction, step)
        if interrupted is not None:
            raise interrupted

    def _prove_evidence(self, transaction: Transaction, step: Step) -> None:
        """What passed has passed in this very transaction. Raises ProofFailed."""
        plan = self.around.plan
        segment = plan.segments[step.segment - 1]
        files = [file.path for file in segment.files if file.transaction != "none"]
        if step.segment == len(plan.segments):
            files += [file.path for file in plan.seeds]
        if self.around.records_only:
            files = []
        elsewhere = self._judged_in - {transaction.xid}
        if transaction.applied != files or elsewhere:
            self.roll_back()
            raise ProofFailed(
                "what was proved is not what would be committed: "
                + (f"checks ran in transaction {', '.join(elsewhere)}" if elsewhere else "")
                + f" {len(transaction.applied)} of {len(files)} files are in {transaction.xid}",
                why="evidence of another transaction says nothing of this one",
                fix="run again",
            )

    def _committed(self, transaction: Transaction, step: Step) -> None:
        if step.segment not in self.promoted:
            self.promoted.append(step.segment)
        self._in_doubt = None
        # An interrupted item makes no report, and that the batch is in has to be on record.
        done = "COMMIT was answered"
        self.record(StepResult(step=step, outcome=Outcome.PASSED, examined=1, message=done))
        self.locks_held_s = max(self.locks_held_s, transaction.locks_held_s)
        self.transaction = None
        self._applied.clear()
        self._alone.clear()
        self._judged_in.clear()
        self.around.forget_catalog()
        if self.around.journal is not None:
            self.around.journal.committed(step.segment)

    def _settle(self, transaction: Transaction, step: Step, error: psycopg.Error) -> None:
        """COMMIT did not answer "done": find out what is true, and return only if it committed.

        https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
        """
        self.transaction = None
        status = self.around.status_of(transaction.xid)
        if status == "committed":
            return
        self._in_doubt = None
        if status == "aborted":
            if self.around.journal is not None:
                self.around.journal.rolled_back(step.segment)
            raise explain("COMMIT", "", error) from None
        self.doubtful = True
        raise ProofFailed(
            f"the connection was lost during COMMIT, and transaction {transaction.xid}"
            f" is {status or 'unknown to the server'}",
            why="the batch may or may not be in the database",
            fix=f"ask the server: SELECT pg_xact_status('{transaction.xid}'::xid8)",
        )

    def _resolve(self) -> None:
        """Ctrl-C came between COMMIT and what follows it: ask which it was."""
        if self._in_doubt is None:
            return
        transaction, step = self._in_doubt
        with suppress(HousekeepingError):
            self._settle(transaction, step, psycopg.OperationalError("interrupted"))
            self._committed(transaction, step)

    def _seal(self) -> None:
        wait(self._ahead.values())
        transaction = self.opened()
        if not transaction.sealed:
            try:
                transaction.seal()
            except SqlFailed:
                self.roll_back()
                raise


_WORK: dict[Kind, Callable[[Promotion, Step], StepResult]] = {
    Kind.PRECHECK: Promotion._precheck,
    Kind.BACKUP: Promotion._backup,
    Kind.MIGRATION: Promotion._apply,
    Kind.VIEW: Promotion._apply,
    Kind.POLICY: Promotion._apply,
    Kind.SEED: Promotion._apply,
    Kind.OBJECT: Promotion._judge,
    Kind.QUERY: Promotion._judge,
    Kind.RLS: Promotion._judge,
    Kind.BOUNDARY: Promotion._judge,
    Kind.TRIPWIRE: Promotion._judge,
    Kind.LINT: Promotion._lint,
    Kind.PROMOTE: Promotion._promote,
    Kind.ROLLBACK: Promotion._rollback,
}


def _judged(step: Step, verdict: Verdict, message: str) -> StepResult:
    """The result of a verification; one that examined nothing is a failure with that reason."""
    said = message or f"{verdict.examined} {verdict.unit} examined"
    if not verdict.examined:
        said = f"nothing was examined: {message or 'no ' + verdict.unit + ' found'}"
    return StepResult(
        step=step,
        outcome=Outcome.PASSED if verdict.passed else Outcome.FAILED,
        examined=verdict.examined,
        message=said,
        findings=verdict.findings,
    )
