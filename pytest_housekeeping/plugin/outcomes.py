"""How an item ended: what its step saw, joined with what pytest says of its phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_housekeeping.model import Kind, Outcome, Step, StepResult


def outcome_of(
    step: Step, worked: StepResult | None, reports: Sequence[pytest.TestReport]
) -> StepResult:
    """Join what the step saw with what pytest says: passed means called and torn down, each phase
    passed, none of it expected to fail.

    A step that is no test has a result of its own, and no report can say better of it.
    """
    duration = sum(report.duration for report in reports)
    told = {"call", "teardown"} <= {report.when for report in reports} and all(
        report.passed and not hasattr(report, "wasxfail") for report in reports
    )
    saw = worked.outcome is Outcome.PASSED if worked else step.kind is Kind.TEST
    passed = told and saw
    if passed and worked is not None:
        # What ran ahead of its item took the time that it says, and not that of the item.
        duration = worked.duration_s or duration
        return replace(worked, outcome=Outcome.PASSED, duration_s=duration)
    if passed:
        return StepResult(step=step, outcome=Outcome.PASSED, duration_s=duration, examined=1)
    failed = told or any(report.failed for report in reports)
    seen = worked.message if worked else "it came to no result, whatever its report says"
    message = next((_reason(report) for report in reports if _tells(report)), seen)
    blank = worked or StepResult(step=step, outcome=Outcome.FAILED)
    return replace(
        blank,
        outcome=Outcome.FAILED if failed else Outcome.SKIPPED,
        duration_s=duration,
        message=message,
    )


def _tells(report: pytest.TestReport) -> bool:
    return not report.passed or hasattr(report, "wasxfail")


def _reason(report: pytest.TestReport) -> str:
    """Why a report is no pass, in a line where there is one."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail or 'no reason given'}"
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext
