"""What outcomes of a run have in common: what of the batch is in the database, and is it proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.model import Kind, Mode, Outcome, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

# All of the plan is proved, and in.
PROVED = (RunOutcome.PROMOTED, RunOutcome.NOTHING_TO_PROMOTE)
# Nothing of it is in.
UNDONE = (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED)
# All of it is in, proved or not.
COMMITTED = (RunOutcome.PROMOTED, RunOutcome.PROMOTED_UNPROVED)
# Some of it is in, or all.
CHANGED = (*COMMITTED, RunOutcome.PROMOTED_IN_PART)


def segments_in(audit: Audit) -> frozenset[int]:
    """The segments that the run has committed, by their numbers; of an answer to COMMIT that was
    lost, those before it."""
    if audit.run.outcome in COMMITTED:
        return frozenset(range(audit.plan.segments + 1))
    return frozenset(
        step.segment
        for step in audit.steps
        if step.kind is Kind.PROMOTE and step.outcome is Outcome.PASSED
    )


def segments_undone(audit: Audit) -> frozenset[int]:
    """The segments that are not in the database while others are."""
    in_part = audit.run.outcome is RunOutcome.PROMOTED_IN_PART
    if not in_part or audit.run.mode is Mode.STAGING:
        return frozenset()
    return frozenset(range(1, audit.plan.segments + 1)) - segments_in(audit)
