"""What outcomes of a run have in common: what of the batch is in the database, and is it proved."""

from __future__ import annotations

from pytest_housekeeping.model import RunOutcome

# All of the plan is proved, and in.
PROVED = (RunOutcome.PROMOTED, RunOutcome.NOTHING_TO_PROMOTE)
# Nothing of it is in.
UNDONE = (RunOutcome.ROLLED_BACK, RunOutcome.REFUSED)
# All of it is in, proved or not.
COMMITTED = (RunOutcome.PROMOTED, RunOutcome.PROMOTED_UNPROVED)
# Some of it is in, or all.
CHANGED = (*COMMITTED, RunOutcome.PROMOTED_IN_PART)
