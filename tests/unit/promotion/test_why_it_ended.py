"""Why a run has ended so: what a person has to ask is named."""

from __future__ import annotations

from pytest_housekeeping.model import RunOutcome
from pytest_housekeeping.promotion.recording.why_it_ended import why_it_ended


def test_a_transaction_that_nobody_saw_end_is_named() -> None:
    said = why_it_ended(RunOutcome.UNKNOWN, 1, partial=False, unseen="777")
    assert "pg_xact_status('777')" in said
    assert "interrupted" not in said
    both = why_it_ended(RunOutcome.UNKNOWN, 2, partial=False, unseen="777")
    assert both == f"The run was interrupted. {said}"


def test_what_the_outcome_says_is_not_said_again() -> None:
    assert why_it_ended(RunOutcome.UNKNOWN, 1, partial=False) == ""
    assert why_it_ended(RunOutcome.ROLLED_BACK, 2, partial=False) == "The run was interrupted."
