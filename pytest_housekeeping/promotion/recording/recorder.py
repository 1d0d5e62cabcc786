"""The record of an active run: a journal as it goes, then an audit, written, committed and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence import Secrets, StartFacts, stem
from pytest_housekeeping.evidence.journal import Journal, start_journal
from pytest_housekeeping.evidence.run_outcomes import PROVED
from pytest_housekeeping.evidence.secrets import secrets_of_environment
from pytest_housekeeping.model import Phase, RunOutcome, Step, StepResult
from pytest_housekeeping.plan.steps import RESULT
from pytest_housekeeping.postgres.batch_facts import BatchFacts
from pytest_housekeeping.promotion.context import written_passwords
from pytest_housekeeping.promotion.engine import Promotion
from pytest_housekeeping.promotion.recording.artifacts import artifact_of, naming
from pytest_housekeeping.promotion.recording.compared_runs import runs_to_compare_with
from pytest_housekeeping.promotion.recording.evidence_commit import (
    is_final,
    is_left_to_fleet,
    publish,
)
from pytest_housekeeping.promotion.recording.github import tell_github
from pytest_housekeeping.promotion.recording.incident_files import write_incident
from pytest_housekeeping.promotion.recording.killed_runs import record_killed_runs
from pytest_housekeeping.promotion.recording.shown_beside import finish_page, shown_beside
from pytest_housekeeping.promotion.recording.why_it_ended import (
    NOTHING_FAILED,
    what_was_skipped,
    why_it_ended,
)
from pytest_housekeeping.promotion.repository.web_places import located
from pytest_housekeeping.whole_file import NO_ROOM

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.report.beside import Beside
    from pytest_housekeeping.promotion.context import RunContext

_NO_CANARY = "--hk-no-canary does nothing any more: made-up rows are written to a copy alone"

_NO_RECORD = "the next run completes it out of the journal; until then nobody can rely on it"


class Recorder:
    """Keeps the record of one run. Every failure to keep it is told, and fails the run.

    ``open`` before the first step, ``begin_step`` and ``record_steps`` for each, ``finish`` when
    nothing runs any more, and ``write`` when the HTML report is there.
    """

    def __init__(self, promotion: Promotion) -> None:
        self.promotion = promotion
        self.run = promotion.run
        self.context = promotion.run.context
        # What every trace of fails the run, and what besides is shown nowhere.
        self._given = Secrets(self.run.secrets)
        written = written_passwords(self.context.plan)
        self.secrets = Secrets((*self.run.secrets, *written, *secrets_of_environment()))
        self.audit: Audit | None = None
        self.messages: list[str] = [_NO_CANARY] if self.context.options.no_canary else []
        self.uncollected: list[str] = []
        self.complete = True
        self._outcome = RunOutcome.UNKNOWN
        self._report_error: Exception | None = None
        self._folder = self.context.config.root / self.context.config.audit
        self._facts = _start_facts(self.context)
        self._journal: Journal | None = None
        self._target_told = False
        self._recovered: list[Path] = []
        self._old_journals: list[Path] = []

    def open(self) -> None:
        """Begin the journal, after what killed runs have left was turned into audits. Raises
        EvidenceError when the folder cannot be written: no run without a record."""
        # What a promotion left waits for a run that can ask its server.
        rules = self.context.rules
        prefix = f"{self.context.mode}_" if rules.throwaway or rules.plans else ""
        ask = self.run.target.connection.status_on
        try:
            of = self._folder, self.context.repository
            for old, paths, message in record_killed_runs(*of, prefix=prefix, ask=ask):
                self._old_journals.append(old)
                self._recovered += paths
                self.messages.append(message)
        except OSError as error:
            raise EvidenceError(
                f"what an earlier run has left cannot be put on record: {error}",
                why="what that run did would be forgotten",
                fix=NO_ROOM,
            ) from None
        self._journal = start_journal(self._folder, self._facts, secrets=self.secrets)
        self._journal_target()
        self.promotion.commits.journal = self._journal
        self.promotion.progress.on_conflict = self._journal.conflicted

    def begin_step(self, step: Step) -> None:
        """Journal that a step begins, so that it is known what a killed run was doing."""
        self._journal_line(lambda journal: journal.began(step.id))

    def record_steps(self, *results: StepResult) -> None:
        """Journal how steps ended."""
        self._journal_target()
        self._journal_line(lambda journal: journal.ended(*results))
        for facts in filter(None, (self._facts_of(result.step) for result in results)):
            self._journal_line(partial(Journal.measured, facts=facts))

    def _journal_target(self) -> None:
        """Which database it is, as soon as that is known: a throwaway one is made by a step."""
        identity = self.run.target.connection.known_identity
        if identity is not None and not self._target_told:
            self._target_told = True
            self._journal_line(lambda journal: journal.connected(identity))

    def _facts_of(self, step: Step) -> BatchFacts | None:
        """What the batch of a segment does, when the step that tells it has run."""
        rehearsal, tells = self.run.rehearsal, step.phase is Phase.REHEARSE and step.name == RESULT
        return rehearsal.facts.get(step.segment) if rehearsal is not None and tells else None

    def _journal_line(self, write: Callable[[Journal], None]) -> None:
        """A line that cannot be written is told, and nothing is committed from then on."""
        if self._journal is None:
            return
        with self._told_where_incomplete():
            try:
                write(self._journal)
            except EvidenceError as error:
                self.promotion.refusal = self.promotion.refusal or error
                raise

    def finish(self, exitstatus: int, *, partial: bool) -> None:
        """Nothing runs any more: roll back what is open, and make the audit of what is true.

        ``exitstatus`` is pytest's; ``partial`` means that only a selection of the plan was run.
        """
        self.promotion.roll_back()
        outcome = self.promotion.outcome()
        if outcome is RunOutcome.REFUSED and partial and exitstatus in NOTHING_FAILED:
            outcome = RunOutcome.ROLLED_BACK
        self._outcome = outcome
        message = why_it_ended(
            outcome,
            exitstatus,
            partial=partial,
            uncollected=self.uncollected,
            unseen=self.promotion.batch.ended_unseen,
        ) or what_was_skipped(outcome, self.promotion.results)
        with self._told_where_incomplete():
            if self._journal is not None:
                self._journal.finished(outcome, message)
        with self._told_where_incomplete():
            self.run.finish(changed=self.promotion.changed)
        with self._told_where_incomplete():
            self.audit = self._make_audit(outcome, message)
            if self.run.rehearsal is not None:
                from pytest_housekeeping.promotion.production.group.proof import keep_for_group

                keep_for_group(self.run, self.promotion.results, outcome)

    def report_failed(self, error: Exception) -> None:
        """The HTML report could not be written; nothing is published without it."""
        self._report_error = error
        self.context.html_path.unlink(missing_ok=True)

    @property
    def done(self) -> bool:
        """Whether everything that was to be promoted is in."""
        done = (*PROVED, RunOutcome.PLANNED)
        return self.audit is not None and self.audit.run.outcome in done

    def write(self, *, partial: bool) -> bool:
        """Write the JSON beside the HTML, commit, push. Returns whether everything was kept."""
        if self.audit is None:
            return False
        kept = False
        with self._told_where_incomplete():
            files = self._write_files(self.audit)
            self.messages += publish(self.context, self.audit, files, partial=partial)
            if is_final(self.context, partial=partial):
                for old in self._old_journals:
                    old.unlink(missing_ok=True)
            tell_github(self.audit, self.context.config.audit, lambda: self.beside({}))
            kept = not is_left_to_fleet(self.context, partial=partial)
        # The journal of a run whose record was not kept stays: the next run makes one of it.
        if kept and self._journal is not None:
            self._journal.remove()
        return self.complete

    def summary(self) -> tuple[str, list[str]]:
        """For the terminal: good, bad or unsure; outcome, findings, where the evidence lies."""
        from pytest_housekeeping.evidence.report.terminal import (
            summary_without_audit,
            terminal_summary,
            tone_of,
        )

        if self.audit is None:
            lines = summary_without_audit(self.context.run.mode, self._outcome)
        else:
            lines = terminal_summary(self.audit, self.context.config.audit)
        kept = self.run.how_to_connect()
        lines += self.messages
        lines += ["the database is kept:", *kept.splitlines()] if kept else []
        return tone_of(self.audit, self._outcome), [self.secrets.redact(line) for line in lines]

    def beside(self, logs: Mapping[str, str]) -> Beside:
        """What a report shows beside the audit; ``logs`` of the tests by the id of their step."""
        return shown_beside(self.context, self.run.target.kept, self.audit, self.secrets, logs)

    def _make_audit(self, outcome: RunOutcome, message: str) -> Audit:
        from pytest_housekeeping.evidence.audit import make_audit
        from pytest_housekeeping.evidence.chain import latest_digest

        kept = self.run.target.kept
        order = {step.id: place for place, step in enumerate(self.context.plan.steps)}
        last, found = len(order), self.promotion.results.values()
        results = sorted(found, key=lambda result: order.get(result.step.id, last))
        repository = self.context.repository
        return make_audit(
            _start_facts(self.context),
            outcome=outcome,
            finished_at=datetime.now(UTC),
            results=results,
            target=self.run.target.connection.known_identity,
            message=message,
            locks_held_s=self.promotion.batch.locks_held_s,
            conflicts=self.promotion.progress.conflicts,
            bound=self.run.bound(),
            production=self.run.production(),
            clone=self.run.clone(),
            batch=[*self.run.rehearsal.facts.values()] if self.run.rehearsal else (),
            before=artifact_of(kept.before),
            after=artifact_of(kept.after),
            after_of=kept.after_of,
            schema=self.promotion.commits.schema_states(),
            previous=latest_digest(
                repository,
                self._facts.run.mode,
                self._folder,
                along=[each.read_bytes() for each in self._recovered if each.suffix == ".json"],
            )
            if repository is not None
            else None,
            earlier=runs_to_compare_with(self.context, self.run.target.connection.known_identity),
            secrets=self.secrets,
        )

    def _write_files(self, audit: Audit) -> dict[Path, bytes]:
        """All files of the evidence, on disk, with their content; the audit names all of them."""
        from pytest_housekeeping.evidence.audit_file import write_audit

        html = self.context.html_path
        if self._report_error is not None:
            raise self._report_error
        finish_page(html)
        given = self._given.scrub(html)
        self.secrets.scrub(html)
        if given:
            self.messages.append(
                "a password had come into the report and was taken out, which fails the run: "
                "change it, also where it is merely a word that reports use"
            )
            self.complete = False
        incident = write_incident(self.context, self.run.target, audit, self.secrets)
        root = self.context.config.root
        self.messages += [f"incident: {each.relative_to(root).as_posix()}" for each in incident]
        files = {html: html.read_bytes(), **self.run.target.kept.files, **incident}
        self.audit = naming(audit, self.context.config, files)
        path = write_audit(self.audit, self._folder, stem(audit.run), self.secrets)
        return {each: each.read_bytes() for each in (path, *self._recovered)} | files

    @contextmanager
    def _told_where_incomplete(self) -> Iterator[None]:
        """Whatever goes wrong with the record: the run goes on to say what is true."""
        try:
            yield
        except Exception as error:
            kind = "" if isinstance(error, HousekeepingError | OSError) else f"{type(error)}: "
            said = f"THE EVIDENCE IS NOT COMPLETE: {kind}{error}"
            if isinstance(error, OSError):
                said += f"\n  why: {_NO_RECORD}\n  fix: {NO_ROOM}"
            if said not in self.messages:
                self.messages += ["", said]
            self.complete = False


def _start_facts(context: RunContext) -> StartFacts:
    return StartFacts(
        run=context.run,
        source=located(context.source, context.repository),
        digest=context.plan.digest,
        steps=context.plan.steps,
        segments=len(context.plan.segments),
    )
