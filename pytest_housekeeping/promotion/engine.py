"""The use case: run the steps of a plan in its one transaction, decide, commit or roll back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.style.verdict import style_verdict
from pytest_housekeeping.errors import HousekeepingError, ProofFailed, SqlFailed
from pytest_housekeeping.model import (
    EXEMPTIONS,
    Finding,
    Kind,
    Level,
    Outcome,
    Phase,
    RunOutcome,
    Step,
    StepResult,
    Verdict,
)
from pytest_housekeeping.plan.problems import header_for_new_value
from pytest_housekeeping.plan.steps import MUTANTS, RESULT, SCHEMA
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.blockers import blocker_of
from pytest_housekeeping.promotion.left_threads import refuse_threads_since
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.run import Run
from pytest_housekeeping.promotion.step_results import (
    applied_result,
    check_result,
    refused_commit,
    steps_without_pass,
)
from pytest_housekeeping.promotion.transaction.batch import Batch
from pytest_housekeeping.promotion.transaction.commit import Commits
from pytest_housekeeping.sql.password_literals import holds_password

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal


@dataclass(kw_only=True)
class Promotion:
    """One run of one plan. ``run_step`` works a step, ``record`` takes down how its item ended.

    Only what was recorded as passed counts for the commit; what was never reported has not
    passed, whatever the reason. ``refusal`` is why nothing may be committed, whatever has passed.
    """

    run: Run
    results: dict[str, StepResult] = field(default_factory=dict)
    refusal: HousekeepingError | None = None
    progress: Progress = field(default_factory=Progress)
    _troubles: list[StepResult] = field(default_factory=list)
    _test_scope: ExitStack | None = None
    _threads: frozenset[threading.Thread] = frozenset()

    @cached_property
    def batch(self) -> Batch:
        """The files of the present segment, in its transaction."""
        run, progress = self.run, self.progress
        batch = Batch(context=run.context, target=run.target, locks=run.locks, progress=progress)
        if batch.context.plan.rehearses:
            batch.prove_same, batch.foreseen = self.rehearsal.prove_same, self.rehearsal.foreseen
        return batch

    @property
    def rehearsal(self) -> Rehearsal:
        """The batch on the copy. Raises ProofFailed where the run has none."""
        if self.run.rehearsal is None:
            raise ProofFailed("this run rehearses nothing", why="there is nothing to compare with")
        return self.run.rehearsal

    @cached_property
    def commits(self) -> Commits:
        """The COMMITs of this run."""
        return Commits(batch=self.batch, at_commit=self.run.after_commit)

    def blocker(self, step: Step) -> str | None:
        """The id of the earlier step because of which this one cannot run."""
        return blocker_of(step, self._troubles, watches=self.run.context.rules.watches)

    def run_step(self, step: Step) -> StepResult:
        """Work one step. Raises HousekeepingError when it fails."""
        try:
            return self.run.known(step) or _WORK[step.kind](self, step)
        except HousekeepingError as error:
            error.fix = header_for_new_value(self.run.context.plan, step, error.found) or error.fix
            raise

    def record(self, result: StepResult) -> None:
        """Take down how the item of a step ended, once and for all."""
        before = self.results.get(result.step.id)
        if before is None or before.outcome is Outcome.PASSED:
            self.results[result.step.id] = result
            if result.outcome is not Outcome.PASSED:
                self._troubles.append(result)

    def opened(self) -> Transaction:
        """The open transaction of the present segment; begun when it is first asked for."""
        return self.batch.opened()

    def enter_test(self, step: Step) -> None:
        """Before a test under ``checks/`` is set up: a savepoint, so that nothing of it stays."""
        self.batch.seal(step.segment)
        self._threads = frozenset(threading.enumerate())
        self._test_scope = ExitStack()
        self._test_scope.enter_context(self.batch.check_savepoint(of_a_test=True))

    def leave_test(self) -> None:
        """After its teardown.

        Raises ProofFailed when the test ended the transaction, or has left a thread running.
        """
        scope, self._test_scope = self._test_scope, None
        if scope is not None:
            scope.close()
            refuse_threads_since(self._threads)

    def roll_back(self) -> None:
        """Undo what is not committed. Never raises: a lost connection has rolled back as well."""
        committed = self.commits.resolve()
        if committed is not None:
            self._record_commit(committed)
        for seen in self.commits.all_seen():  # whether or not an item has asked for it
            self.record(seen)
        self.batch.roll_back()

    @property
    def changed(self) -> bool:
        """Whether anything of the batch is in the database, by a COMMIT of ours or by force."""
        return bool(self.commits.segments) or self.batch.escaped

    def outcome(self) -> RunOutcome:
        """What is true of the target now."""
        plan, promoted = self.run.context.plan, self.commits.segments
        if self.commits.doubtful or self.batch.ended_unseen:
            return RunOutcome.UNKNOWN
        if self.commits.unproved or self.batch.escaped:
            return RunOutcome.PROMOTED_UNPROVED
        if not self.run.context.rules.promotes and not steps_without_pass(plan.steps, self.results):
            planned = self.run.context.rules.plans and plan.unapplied
            return RunOutcome.PLANNED if planned else RunOutcome.NOTHING_TO_PROMOTE
        if len(promoted) == len(plan.segments):
            pending = any(segment.files for segment in plan.segments)
            return RunOutcome.PROMOTED if pending else RunOutcome.NOTHING_TO_PROMOTE
        if promoted or self.batch.outside:
            return RunOutcome.PROMOTED_IN_PART
        looked = self.run.context.rules.watches and self._looked
        return RunOutcome.ROLLED_BACK if self.batch.begun or looked else RunOutcome.REFUSED

    @property
    def _looked(self) -> bool:
        """Whether any check has been check_result, on whatever database."""
        return any(
            result.step.phase in (Phase.REHEARSE, Phase.VERIFY)
            and result.outcome is not Outcome.SKIPPED
            for result in self.results.values()
        )

    def unproved(self, promote: Step) -> list[str]:
        """The required steps up to this promote without a recorded pass, and how they stand."""
        required = (
            step
            for step in self.run.context.plan.steps
            if step.kind is not Kind.PROMOTE
            and (step.segment <= promote.segment or step.phase is Phase.REHEARSE)
        )
        return steps_without_pass(required, self.results)

    # -- one method a kind of step ---------------------------------------------------------

    def _precheck(self, step: Step) -> StepResult:
        return check_result(step, *self.run.prechecks[step.name]())

    def _backup(self, step: Step) -> StepResult:
        return check_result(step, *self.run.backup[step.name]())

    def _lint(self, step: Step) -> StepResult:
        plan = self.run.context.plan

        def quiet(path: str) -> bool:
            return holds_password(plan.sources.read(path).decode(errors="replace"))

        paths, files = plan.styled(step.name), plan.sources
        verdict = style_verdict(self.run.linting, files.root, paths, quiet=quiet, lines=files.lines)
        return check_result(step, *verdict)

    def _apply(self, step: Step) -> StepResult:
        try:
            applied = self.batch.apply(step)
        except SqlFailed as error:
            raise self.run.throwaway.advised(error) from None
        return applied_result(step, applied, self.progress.attempts_of(step))

    def _judge(self, step: Step) -> StepResult:
        (place := self._place(step)).seal(step.segment)
        verdict = self.run.checks.judge(step, place.judging(step.segment))
        telling = step.name == MUTANTS or verdict.unit == EXEMPTIONS
        return check_result(step, verdict, "; ".join(verdict.evidence) if telling else "")

    def _place(self, step: Step) -> Batch | Rehearsal:
        """Where a step is judged: on the copy, or in the transaction that will be committed."""
        return self.rehearsal if step.phase is Phase.REHEARSE else self.batch

    def _rehearse(self, step: Step) -> StepResult:
        """A file on the copy, what the batch of a segment has made of it, or what is asked then."""
        run = self.run
        if not step.path:
            if step.name != RESULT:
                return check_result(step, *run.rehearsed[step.name]())
            from pytest_housekeeping.promotion.rehearsal.result import rehearsed_result

            judgement = rehearsed_result(run.context, self.rehearsal, run.checks, step.segment)
            return check_result(step, *judgement)
        try:
            applied = self.rehearsal.apply(step)
        except SqlFailed as error:
            raise self.run.throwaway.advised(error) from None
        return applied_result(step, applied)

    def _file(self, step: Step) -> StepResult:
        """A file that undoes, or may be applied again; what it has to show, its target judges."""
        if step.phase is Phase.APPLY:
            return self._apply(step)
        with self._place(step).sealed(step.segment) as transaction:
            verdict = self.run.target.judge_file(transaction, step)
        return check_result(step, verdict, "; ".join(verdict.evidence))

    def _promote(self, step: Step) -> StepResult:
        if self.refusal is not None:
            self.roll_back()
            raise self.refusal
        if missing := self.unproved(step):
            self.roll_back()
            raise refused_commit(missing)
        self.commits.refuse_long_locks()
        self.batch.seal(step.segment)
        unjudged = self._unjudged()
        if any(each.level is Level.ERROR for each in unjudged):
            self.roll_back()
            return check_result(step, Verdict(examined=1, findings=unjudged), "not committed")
        keeps = not self.run.context.rules.throwaway
        files = sum(1 for file, _ in self.batch.applied if keeps or file.kind is not Kind.SEED)
        committed = f"committed {files} files" if files else "nothing pending; nothing to commit"
        try:
            self.commits.commit(step)
        finally:
            if step.segment in self.commits.segments:
                self._record_commit(step)
        put_back = [f"put back after deferred triggers: {each}" for each in self.batch.put_back]
        proved = Verdict(
            examined=sum(1 for s in self.run.context.plan.steps if s.segment <= step.segment),
            findings=unjudged if self.run.context.is_last(step.segment) else (),
        )
        return check_result(step, proved, "; ".join((committed, *put_back)))

    def _unjudged(self) -> tuple[Finding, ...]:
        """What no contract judges; where the plan is rehearsed, its last step has told it."""
        if self.run.context.plan.rehearses:
            return ()
        return self.run.checks.unjudged(self.batch.opened().connection)

    def _record_commit(self, step: Step) -> None:
        """An interrupted item makes no report: that the batch is in is on record before."""
        self.run.checks.schema_changed()
        self.record(check_result(step, Verdict(examined=1, unit="COMMIT"), "COMMIT was answered"))

    def _after(self, step: Step) -> StepResult:
        """Behind a COMMIT; the schema was read again before anything else."""
        if step.name == SCHEMA:
            return self.commits.seen_behind(step)
        return check_result(step, *self.run.after[step.name]())


_WORK: dict[Kind, Callable[[Promotion, Step], StepResult]] = {
    Kind.PRECHECK: Promotion._precheck,
    Kind.BACKUP: Promotion._backup,
    Kind.REHEARSAL: Promotion._rehearse,
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
    Kind.ROLLBACK: Promotion._file,
    Kind.REPEATABLE: Promotion._file,
    Kind.AFTER: Promotion._after,
}
