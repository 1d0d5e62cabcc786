"""Why a run has ended so, where its outcome alone does not say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_housekeeping.evidence.run_outcomes import UNDONE
from pytest_housekeeping.model import Outcome, RunOutcome, StepResult

# pytest's exit codes: all that ran has passed, or nothing was selected; and Ctrl-C.
NOTHING_FAILED = (0, 5)
_INTERRUPTED = 2


def why_it_ended(
    outcome: RunOutcome,
    exitstatus: int,
    *,
    partial: bool,
    uncollected: Sequence[str] = (),
    unseen: str = "",
) -> str:
    """What the outcome alone does not say; ``uncollected`` are files with why they could not be,
    ``unseen`` is a transaction that ended under a test, of which the server could not be asked."""
    if uncollected:
        return "\n".join(uncollected[:10])
    if outcome is RunOutcome.ROLLED_BACK and partial and exitstatus in NOTHING_FAILED:
        return "Only a selection was run, so nothing was to be promoted."
    interrupted = "The run was interrupted." if exitstatus == _INTERRUPTED else ""
    if unseen:
        asked = (
            f"Transaction {unseen} ended while a test had its connection, and the server could not"
            f" be asked how: SELECT pg_xact_status('{unseen}') there says whether it was committed."
        )
        return f"{interrupted} {asked}".strip()
    return interrupted


def what_was_skipped(outcome: RunOutcome, results: Mapping[str, StepResult]) -> str:
    """What was skipped for a reason of its own: where nothing failed, it is the reason."""
    if outcome not in UNDONE:
        return ""
    skipped = [
        f"{result.step.id} (skipped: {result.message})"
        for result in results.values()
        if result.outcome is Outcome.SKIPPED and not result.message.startswith("blocked by ")
    ]
    return f"No recorded pass: {', '.join(skipped[:10])}" if skipped else ""
