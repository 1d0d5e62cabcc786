"""Whether an audit fits its own plan: what it says of its steps, its outcome and its times.

This needs nothing but the audit. That its digest is its own is told by chain.py, that its files are
those of its commit by who has the repository.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.run_outcomes import PROVED, UNDONE
from pytest_housekeeping.model import Finding, Kind, Level, Outcome, Phase, RunOutcome
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.steps import SCHEMA

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

RULE = "audit-plan"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The audit states seconds to the tenth of a millisecond.
_ROUNDED_S = 0.001


def own_plan_faults(audit: Audit) -> tuple[Finding, ...]:
    """What in an audit contradicts its own plan; nothing for an audit that a run has written.

    A run that made no plan (refused before it had one) has no steps, and nothing to contradict.
    """
    return tuple(
        Finding(
            rule=RULE,
            level=Level.ERROR,
            object=f"run {audit.run.id}",
            detail=detail,
            fix="restore the file from git; `git log -p` shows who changed it",
        )
        for looks in _LOOKS
        for detail in looks(audit)
    )


def _plan(audit: Audit) -> Iterator[str]:
    """The plan itself: steps, each once, each with the file that it stands for."""
    plan = audit.plan
    if not plan.steps:
        if audit.run.outcome is not RunOutcome.REFUSED:
            yield "its plan has no steps"
        return
    if not _SHA256.fullmatch(plan.digest):
        yield "the digest of its plan is no sha256"
    for identity, count in Counter(step.id for step in plan.steps).items():
        if count > 1:
            yield f"its plan has {identity} {count} times"
    for step in plan.steps:
        if step.path and not step.id.startswith(f"{step.path}::"):
            yield f"its plan has {step.id} stand for {step.path}"
        if step.path and not _SHA256.fullmatch(step.sha256):
            yield f"its plan has {step.id} without the sha256 of its file"


def _records(audit: Audit) -> Iterator[str]:
    """One record for each planned step, and none besides."""
    planned = {step.id: step for step in audit.plan.steps}
    recorded = Counter(step.id for step in audit.steps)
    for identity in planned:
        if recorded[identity] != 1:
            yield f"it has {recorded[identity]} records of {identity}, and not one"
    for record in audit.steps:
        step = planned.get(record.id)
        if step is None:
            yield f"it has a record of {record.id}, which its plan does not have"
        elif (record.phase, record.kind, record.segment) != (step.phase, step.kind, step.segment):
            yield f"its record of {record.id} is of another kind of step than its plan has"


def _outcome(audit: Audit) -> Iterator[str]:
    """The outcome follows from the steps."""
    outcome, plan = audit.run.outcome, audit.plan
    promotes = {step.segment: step for step in audit.steps if step.kind is Kind.PROMOTE}
    passed = [step.id for step in promotes.values() if step.outcome is Outcome.PASSED]
    if outcome in UNDONE and passed:
        yield f"it says {outcome}, and that {passed[0]} has passed"
    if outcome not in PROVED:
        return
    # What belongs to a segment behind the last one ran behind the COMMIT, which had not waited; but
    # what was seen there first decides.
    required = {
        step.id
        for step in plan.steps
        if step.segment <= plan.segments or step.id.startswith(f"{Phase.AFTER}::{SCHEMA}")
    }
    for record in audit.steps:
        if record.id in required and record.outcome is not Outcome.PASSED:
            yield f"it says {outcome}, and that {record.id} was {record.outcome}"
    if audit.target is None:
        yield f"it says {outcome}, and names no database"
    if rules_of(audit.run.mode).promotes and sorted(promotes) != [*range(1, plan.segments + 1)]:
        yield f"it says {outcome}, of {plan.segments} segments, and has {len(promotes)} COMMITs"


def _findings(audit: Audit) -> Iterator[str]:
    """A step that found an error has not passed."""
    outcomes = {step.id: step.outcome for step in audit.steps}
    for finding in audit.findings:
        if finding.step not in outcomes:
            yield f"its finding {finding.rule} is of {finding.step!r}, which it has no record of"
        elif finding.level is Level.ERROR and outcomes[finding.step] is Outcome.PASSED:
            yield f"it says that {finding.step} has passed, and found an error: {finding.rule}"


def _source(audit: Audit) -> Iterator[str]:
    source = audit.source
    if source.dirty != bool(source.dirty_paths):
        yield "it does not say which files were in no commit, or that there were any"
    for path, count in Counter(file.path for file in source.code).items():
        if count > 1:
            yield f"it names the code {path} {count} times"
    if any(not _SHA256.fullmatch(file.sha256) for file in source.code):
        yield "it names code without its sha256"


def _times(audit: Audit) -> Iterator[str]:
    run = audit.run
    took = (run.finished_at - run.started_at).total_seconds()
    if took < 0:
        yield "it ended before it began"
    elif abs(took - run.duration_s) > _ROUNDED_S:
        yield f"it took {took:.3f} s from its beginning to its end, and says {run.duration_s} s"


_LOOKS: tuple[Callable[[Audit], Iterator[str]], ...] = (
    _plan,
    _records,
    _outcome,
    _findings,
    _source,
    _times,
)
