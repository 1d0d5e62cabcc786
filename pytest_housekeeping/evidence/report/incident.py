"""The incident report: what the evidence knows is filled in, what only people know is asked.

The text is incident.md.jinja beside this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.git.objects import BRANCHES
from pytest_housekeeping.evidence.report.batch import TouchedRelation, destroyed_lines, touched
from pytest_housekeeping.evidence.report.display import duration
from pytest_housekeeping.evidence.report.opening import approval_text, commit_url, web_address
from pytest_housekeeping.evidence.report.production import now_told, rows_of
from pytest_housekeeping.evidence.report.tally import as_it_was, failures, findings
from pytest_housekeeping.evidence.report.templates import template
from pytest_housekeeping.evidence.report.timeline import timeline
from pytest_housekeeping.evidence.report.wording import outcome_text
from pytest_housekeeping.evidence.run_outcomes import COMMITTED, UNDONE
from pytest_housekeeping.model import Mode, Phase
from pytest_housekeeping.plan.rollback_files import DESTROYS

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord
    from pytest_housekeeping.evidence.model.steps import StepRecord

_NOTHING = "None of it was committed: the database is as it was before this run."


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
        seen=list(_seen(audit, reverted)),
        waited=_waited_for((audit, *reverted)),
        now={name: said for each in (*reverted, audit) for name, said in now_told(each).items()},
        approved_by=approval_text(audit.bound),
        commit_url=commit_url(audit, audit.source.commit or ""),
        ci_url=web_address(run.ci_url),
        timeline=timeline(audit),
        reverted=reverted,
        undone=[("rolled back", each) for each in reverted],
        undoes=run.mode is Mode.ROLLBACK,
        applied=[step for step in audit.steps if step.phase is Phase.APPLY],
        nothing_committed=as_it_was(_NOTHING, audit) if run.outcome in UNDONE else "",
        failed=[(step, _findings_of(step, audit)) for step in failures(audit)],
        proposal=proposal,
        changes=changes,
        folder=audit_folder,
        branches=BRANCHES,
        verify=f"pytest --hk-mode=verify{Target(name=run.target).option}",
    )


def _seen(audit: Audit, reverted: Sequence[Audit]) -> Iterator[str]:
    """What anybody could notice, in the order in which it is asked: how long, who waited, what is
    gone. As far as the evidence knows."""
    run = audit.run
    if reverted and run.outcome in COMMITTED:
        stood = duration(_stood_s(audit, reverted))
        since = min(each.run.finished_at for each in reverted).astimezone(UTC)
        until = run.finished_at.astimezone(UTC)
        span = f"{since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC"
        yield f"the schema that was rolled back had stood for {stood}, {span}"
    for each in sorted(reverted, key=lambda audit: audit.run.finished_at):
        yield f"promotion {each.run.id}: {_waited(each)}"
    yield f"this run: {_waited(audit)}"
    verb = "is gone" if run.outcome in COMMITTED else "would have gone"
    staged = [each for each in audit.findings if each.rule == DESTROYS]
    told = destroyed_lines(audit, rows_of(audit))
    lost = [f"{each.object} {each.detail.replace('is destroyed', verb)}" for each in staged]
    known = {each.object for each in staged}
    lost += [
        f"{name} {verb}{_rows(line)}"
        for line in told
        if (name := line.partition(" is ")[0]) not in known
    ]
    yield from lost
    if not lost:
        yield "no data is known to be lost"


def _waited_for(audits: Sequence[Audit]) -> list[TouchedRelation]:
    """The tables that others had to wait for, each as the first of the runs locked it."""
    found = {e.relation: e for audit in reversed(audits) for e in touched(audit) if e.waits}
    return [found[name] for name in sorted(found)]


def _waited(audit: Audit) -> str:
    held = audit.run.locks_held_s
    tables = [each.relation for each in touched(audit) if each.waits]
    if not held:
        return "nobody had to wait for a strong lock"
    on = f" on {named(tables)}" if tables else ""
    return f"strong locks{on} were held for {duration(held)}, and others waited for so long at most"


def _rows(line: str) -> str:
    _, comma, rows = line.partition(", where there are ")
    return f", with {rows}" if comma else ""


def _stood_s(audit: Audit, reverted: Sequence[Audit]) -> float:
    """How long the first of the promotions was in place, in seconds."""
    ends = [each.run.finished_at for each in reverted]
    return (audit.run.finished_at - min(ends)).total_seconds() if ends else 0.0


def _findings_of(step: StepRecord, audit: Audit) -> list[FindingRecord]:
    """What the step has found; losses of data have a section of their own."""
    return [each for each in findings(audit) if each.step == step.id and each.rule != DESTROYS]
