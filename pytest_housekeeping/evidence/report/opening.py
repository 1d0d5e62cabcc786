"""What every report opens with: the target, who asked and who approved, which commit, which files.

https://docs.github.com/en/repositories/viewing-activity-and-data-for-your-repository
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.bound import SecondPerson
from pytest_housekeeping.evidence.report.display import duration, plural
from pytest_housekeeping.evidence.run_outcomes import CHANGED, COMMITTED
from pytest_housekeeping.model import Kind, Mode, Outcome, Phase
from pytest_housekeeping.plan.modes import rules_of

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.bound import BoundRecord
    from pytest_housekeeping.evidence.model.steps import StepRecord

# What a browser would follow, and nothing that a page could run.
_ADDRESS = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w.~%@+=&?#-]+)*/?")
_FILES = (Kind.MIGRATION, Kind.VIEW, Kind.POLICY, Kind.ROLLBACK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """``more`` stands behind the value; ``url`` is where the value leads, "" for nowhere."""

    name: str
    value: str
    more: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedFile:
    """A file of the run with what it did; ``undone`` where its segment was not committed, and that
    of others was."""

    path: str
    sha256: str
    outcome: Outcome
    statements: int
    rows: int
    duration_s: float
    segment: int
    undone: bool


def opening(audit: Audit) -> list[Fact]:
    """In the order in which they are read; what nobody knows is left out."""
    return [fact for fact in _facts(audit) if fact.value]


def applied_files(audit: Audit) -> list[AppliedFile]:
    """The files that ran on the target; where none did, those that ran on the copy."""
    known = {step.id: step for step in audit.plan.steps}
    undone = audit.segments_undone
    applied = [step for step in audit.steps if _is_applied(step, audit)]
    if all(step.outcome is Outcome.SKIPPED for step in applied):
        of_files = {step.id for step in audit.plan.steps if step.path}
        applied = [step for step in audit.steps if _is_rehearsed(step, of_files)] or applied
    return [
        AppliedFile(
            path=known[step.id].path if step.id in known else step.id,
            sha256=known[step.id].sha256 if step.id in known else "",
            outcome=step.outcome,
            statements=step.statements,
            rows=step.rows,
            duration_s=step.duration_s,
            segment=step.segment,
            undone=step.segment in undone,
        )
        for step in applied
    ]


def _is_applied(step: StepRecord, audit: Audit) -> bool:
    """Of staging's seeds nothing stays."""
    if step.kind is Kind.SEED:
        return step.phase is Phase.SEED and audit.run.mode is not Mode.STAGING
    return step.phase is Phase.APPLY and step.kind in _FILES


def files_title(audit: Audit) -> str:
    """``41 files applied``: what became of them is in the verb."""
    files = applied_files(audit)
    if audit.segments_undone:
        done = sum(not each.undone for each in files)
        return f"{done:,} of {plural(len(files), 'file')} applied"
    none = files and all(each.outcome is Outcome.SKIPPED for each in files)
    return f"{plural(len(files), 'file')} {'pending, none of them run' if none else _verb(audit)}"


def web_address(url: str) -> str:
    """The address where it is one that may be a link, "" for any other text."""
    return url if _ADDRESS.fullmatch(url) else ""


def approval_text(bound: BoundRecord) -> str:
    """Who besides the one who ran it has approved a promotion; "" where nobody knows by then."""
    names = ", ".join(each.approver for each in bound.approvals)
    return {
        SecondPerson.APPROVED: names,
        SecondPerson.LACKING: f"not enough people: {names or 'nobody'}",
        SecondPerson.WAIVED: f"not waited for in an emergency; {names or 'nobody'} by then",
        SecondPerson.NOBODY: "nobody but who ran it: approvals = 0",
        SecondPerson.NOT_NEEDED: "not needed: nothing was pending",
        SecondPerson.UNKNOWN: "",
    }[bound.second_person]


def commit_url(audit: Audit, commit: str) -> str:
    """Where a commit of the project is looked at."""
    url = web_address(audit.source.url)
    return f"{url}/commit/{commit}" if url and re.fullmatch(r"[0-9a-f]{40,64}", commit) else ""


def _facts(audit: Audit) -> Iterator[Fact]:
    run, source, target = audit.run, audit.source, audit.target
    if target:
        place = f"{target.database} on {target.host}:{target.port}"
        server = f"as {target.user}, PostgreSQL {target.server_version}"
        yield Fact(name="target", value=place, more=server)
    else:
        yield Fact(name="target", value="no connection was made")
    yield Fact(name="run by", value=run.actor)
    yield Fact(name="approved by", value=approval_text(audit.bound))
    yield Fact(name="planned", value=_planned(audit))
    yield Fact(name="emergency", value=run.emergency)
    yield Fact(name="rolls back", value=run.reverts)
    commit = source.commit or ""
    dirty = ", and uncommitted changes" * source.dirty
    yield Fact(
        name="commit",
        value=commit or "no commit",
        more=(f"on {source.branch}" if source.branch else "detached" * bool(commit)) + dirty,
        url=commit_url(audit, commit),
    )
    yield Fact(name="request", value=source.change_url, url=web_address(source.change_url))
    yield Fact(name="workflow", value=run.ci_url, url=web_address(run.ci_url))
    started = f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC"
    yield Fact(name="run", value=run.id, more=f"{run.mode}, {started}, {duration(run.duration_s)}")
    if not rules_of(run.mode).throwaway and run.locks_held_s:
        yield Fact(name="held", value=f"strong locks for {duration(run.locks_held_s)}")
    if known := [step.shown_at for step in audit.steps if step.shown_at]:
        # Whoever reads the run knows that a part of it was shown before, and when.
        shown = f"{plural(len(known), 'proof')} shown at {min(known)}"
        same = "of the same files and rules on the same schema and server"
        yield Fact(name="known", value=shown, more=same)


def _planned(audit: Audit) -> str:
    """Whether a promotion was told what to promote; "" where it has not come so far."""
    if not audit.bound.digest or audit.run.mode is not Mode.PROD:
        return ""
    if audit.bound.planned:
        return f"exactly so: {audit.bound.digest[:12]}"
    return "not bound to a plan" if audit.run.outcome in CHANGED else ""


def _is_rehearsed(step: StepRecord, of_files: Container[str]) -> bool:
    is_rehearsal = step.phase is Phase.REHEARSE and step.kind is Kind.REHEARSAL
    return is_rehearsal and step.id in of_files


def _verb(audit: Audit) -> str:
    """Of a run that took nothing in, the files were tried, whatever became of them."""
    if audit.run.mode is Mode.PLAN:
        return "pending, tried on a copy"
    if audit.run.mode is Mode.STAGING:
        return "applied to a throwaway database"
    if audit.run.outcome in COMMITTED:
        return "recorded, none of them run" if audit.plan.records_only else "applied"
    return "tried, none of them applied"
