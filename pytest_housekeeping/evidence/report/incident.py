"""The incident report: what the evidence knows is filled in, what only people know is asked.

The text is incident.md.jinja beside this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.git_objects import BRANCHES
from pytest_housekeeping.evidence.report.tally import by_phase, failures, findings
from pytest_housekeeping.evidence.report.templates import template
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.model import Mode, Phase, RunOutcome
from pytest_housekeeping.plan.rollback_files import DESTROYS

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit, StepRecord
    from pytest_housekeeping.evidence.finding_model import FindingRecord


def incident_report(
    audit: Audit,
    *,
    reverted: Sequence[Audit] = (),
    changes: Sequence[str] = (),
    proposal: str = "",
    audit_folder: str = "audit",
) -> str:
    """The report as Markdown.

    ``reverted`` are the promotions undone, ``changes`` the objects that differ between before and
    after, ``proposal`` the file that stands beside it. ``audit_folder`` stands beside the folder
    of the report, and holds the audits.
    """
    run = audit.run
    return template("incident.md.jinja").render(
        audit=audit,
        run=run,
        source=audit.source,
        target=audit.target,
        text=outcome_text(audit),
        reverted=reverted,
        undone=[("undone", each) for each in reverted],
        stood_s=_stood_s(audit, reverted),
        phases=by_phase(audit),
        undoes=run.mode is Mode.ROLLBACK,
        applied=[step for step in audit.steps if step.phase is Phase.APPLY],
        nothing_committed=run.outcome in (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED),
        all_committed=run.outcome in (RunOutcome.PROMOTED, RunOutcome.PROMOTED_UNPROVED),
        failed=[(step, _findings_of(step, audit)) for step in failures(audit)],
        proposal=proposal,
        changes=changes,
        locks=sorted({(lock.relation, lock.mode) for step in audit.steps for lock in step.locks}),
        destroyed=[finding for finding in audit.findings if finding.rule == DESTROYS],
        folder=audit_folder,
        branches=BRANCHES,
    )


def _stood_s(audit: Audit, reverted: Sequence[Audit]) -> float:
    """How long the first of the promotions was in place, in seconds."""
    ends = [each.run.finished_at for each in reverted]
    return (audit.run.finished_at - min(ends)).total_seconds() if ends else 0.0


def _findings_of(step: StepRecord, audit: Audit) -> list[FindingRecord]:
    """What the step has found; losses of data have a section of their own."""
    return [each for each in findings(audit) if each.step == step.id and each.rule != DESTROYS]
