"""The record of an active run: journaled as it goes, then written, committed and told."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence import journal, records
from pytest_housekeeping.evidence.git import Repository
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import Mode, Outcome, RunOutcome, StepResult
from pytest_housekeeping.promotion.engine import Promotion
from pytest_housekeeping.promotion.incident_files import write_incident
from pytest_housekeeping.promotion.publication import publish, tell_github
from pytest_housekeeping.promotion.run_facts import new_run

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Artifact, Audit
    from pytest_housekeeping.promotion.target import KeptFile

# Of a selection: all that ran has passed, or nothing was selected.
_WELL = (0, 5)
_INTERRUPTED = 2


class Recorder:
    """What is kept of one run. Every failure to keep it is said, and fails the run."""

    def __init__(self, promotion: Promotion) -> None:
        self.promotion = promotion
        self.run = promotion.run
        self.context = context = promotion.run.context
        self.secrets = Secrets(self.run.secrets)
        self.audit: Audit | None = None
        self.said: list[str] = []
        self.complete = True
        self._folder = context.config.root / context.config.audit
        if not context.plan.canaries:
            self.said.append(
                "--hk-no-canary: what only rows written and rolled back show is left out"
            )
        self._facts = records.Facts(
            run=context.run,
            source=context.source,
            digest=context.plan.digest,
            steps=context.plan.steps,
            segments=len(context.plan.segments),
        )
        self._journal: journal.Journal | None = None
        self._recovered: list[Path] = []

    def open(self) -> None:
        """Begin the journal, after what killed runs have left was turned into audits.

        Raises EvidenceError when the folder cannot be written: no run without a record.
        """
        own = f"{self.context.mode}_" if self.context.rules.throwaway else ""
        for leftover in journal.leftovers(self._folder):
            # What a promotion left waits for a run that can ask its server.
            if not leftover.name.startswith(own):
                continue
            audit = journal.recover(leftover, ask=self.run.target.connection.status_on)
            stem = leftover.name.removesuffix(records.JOURNAL)
            self._recovered.append(_write(audit, self._folder, stem))
            leftover.unlink()
            self.said.append(
                f"a run that was killed is on record now: {audit.run.id}, {audit.run.outcome}"
            )
        self._journal = journal.start(self._folder, self._facts, secrets=self.secrets)
        identity = self.run.target.connection.known_identity
        if identity is not None:
            self._journal.connected(identity)
        self.promotion.commits.log_to(self._journal)

    def record_step(self, result: StepResult) -> None:
        """Journal how a step ended."""
        if self._journal is not None:
            self._journal.ended(result)

    def finish(self, exitstatus: int, *, partial: bool) -> None:
        """Nothing runs any more: roll back what is open and state what is true."""
        self.promotion.roll_back()
        outcome = self.promotion.outcome()
        if outcome is RunOutcome.REFUSED and partial and exitstatus in _WELL:
            outcome = RunOutcome.ROLLED_BACK
        try:
            self.run.finish(changed=bool(self.promotion.commits.segments))
        except HousekeepingError as error:
            self.said += ["", f"THE EVIDENCE IS NOT COMPLETE: {error}"]
            self.complete = False
        message = _message(outcome, exitstatus, partial=partial) or self._left_out(outcome)
        self.audit = self._make(outcome, message)

    @property
    def done(self) -> bool:
        """Whether everything that was to be promoted is in."""
        done = (RunOutcome.PROMOTED, RunOutcome.NOTHING_TO_PROMOTE)
        return self.audit is not None and self.audit.run.outcome in done

    def write(self, *, partial: bool) -> bool:
        """Write the JSON beside the HTML, commit, push. Returns whether everything was kept."""
        if self.audit is None:
            return False
        try:
            path = _write(self.audit, self._folder, records.stem(self._facts.run), self.secrets)
            html = self.context.html_path
            if self.secrets.scrub(html):
                self.said.append(
                    "a password had come into the report and was taken out, which fails the run: "
                    "change it, also where it is merely a word that reports use"
                )
                self.complete = False
            files = {each: each.read_bytes() for each in (path, html)}
            files |= {each: each.read_bytes() for each in self._recovered}
            files |= self.run.target.kept.files
            incident = write_incident(self.context, self.run.target, self.audit, self.secrets)
            self.said += [f"incident: {self._named(path)}" for path in incident]
            files |= incident
            self.said += publish(self.context, self.audit, files, partial=partial)
            tell_github(self.audit)
        except (HousekeepingError, OSError) as error:
            self.said += ["", f"THE EVIDENCE IS NOT COMPLETE: {error}"]
            return False
        if self._journal is not None:
            self._journal.remove()
        return self.complete

    def _named(self, path: Path) -> str:
        return path.relative_to(self.context.config.root).as_posix()

    def summary(self) -> list[str]:
        """For the terminal: outcome, findings, where the evidence lies."""
        from pytest_housekeeping.evidence.report.html import terminal_summary

        lines = terminal_summary(self.audit) if self.audit else []
        kept = self.run.how_to_connect()
        lines += self.said
        lines += ["the database is kept:", *kept.splitlines()] if kept else []
        return [self.secrets.redact(line) for line in lines]

    def annotations(self) -> list[str]:
        """For a workflow's page: each finding about code, on its line."""
        from pytest_housekeeping.evidence.report.text import line_annotations

        lines = line_annotations(self.audit) if self.audit else []
        return [self.secrets.redact(line) for line in lines]

    def _make(self, outcome: RunOutcome, message: str) -> Audit:
        from pytest_housekeeping.evidence.audit import make_audit

        kept = self.run.target.kept
        order = {step.id: place for place, step in enumerate(self.context.plan.steps)}
        results = sorted(
            self.promotion.results.values(),
            key=lambda result: order.get(result.step.id, len(order)),
        )
        return make_audit(
            self._facts,
            outcome=outcome,
            finished_at=datetime.now(UTC),
            results=results,
            target=self.run.target.connection.known_identity,
            message=message,
            locks_held_s=self.promotion.batch.locks_held_s,
            before=_artifact(kept.before),
            after=_artifact(kept.after),
            previous=self._previous(),
            secrets=self.secrets,
        )

    def _left_out(self, outcome: RunOutcome) -> str:
        """What was skipped for a reason of its own: where nothing failed, it is the reason."""
        if outcome not in (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED):
            return ""
        skipped = [
            f"{result.step.id} (skipped: {result.message})"
            for result in self.promotion.results.values()
            if result.outcome is Outcome.SKIPPED and not result.message.startswith("blocked by ")
        ]
        return f"No recorded pass: {', '.join(skipped[:10])}" if skipped else ""

    def _previous(self) -> str | None:
        """The digest of the audit before this one, on record in the repository."""
        repository = self.context.repository
        if repository is None:
            return None
        return latest_digest(repository, self.context.mode, self._folder)


def record_refusal(folder: Path, mode: Mode, reason: str) -> None:
    """The audit of a run for which no plan could be made: it has no steps, only the reason.

    A folder that cannot be written keeps nothing back: the error itself is what the user sees.
    """
    from pytest_housekeeping.evidence.audit import make_audit

    run = new_run(mode)
    facts = records.Facts(
        run=run,
        source=records.SourceFacts(),
        digest="",
        steps=(),
        segments=0,
    )
    audit = make_audit(
        facts, outcome=RunOutcome.REFUSED, finished_at=run.started_at, results=(), message=reason
    )
    with suppress(OSError, EvidenceError):
        _write(audit, folder, records.stem(facts.run))


def latest_digest(repository: Repository, mode: Mode, folder: Path) -> str | None:
    """The digest of the newest committed audit of a mode, to which the next one is chained."""
    newest = None
    for _, data in repository.evidence(mode, repository.relative(folder)):
        newest = data
    return json.loads(newest)["chain"]["digest"] if newest else None


def _artifact(kept: KeptFile | None) -> Artifact | None:
    from pytest_housekeeping.evidence.audit import Artifact

    return Artifact(path=kept.path, sha256=kept.sha256) if kept else None


def _write(audit: Audit, folder: Path, stem: str, secrets: Secrets | None = None) -> Path:
    from pytest_housekeeping.evidence.audit import write

    return write(audit, folder, stem, secrets)


def _message(outcome: RunOutcome, exitstatus: int, *, partial: bool) -> str:
    """What the outcome alone does not say."""
    if outcome is RunOutcome.ROLLED_BACK and partial and exitstatus in _WELL:
        return "Only a selection was run, so nothing was to be promoted."
    if exitstatus == _INTERRUPTED:
        return "The run was interrupted."
    return ""
