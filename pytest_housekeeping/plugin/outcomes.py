"""How an item ended: the result of its step, joined with pytest's reports of its phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_housekeeping.model import Kind, Outcome, Step, StepResult


def outcome_of(
    step: Step,
    result: StepResult | None,
    reports: Sequence[pytest.TestReport],
    no_pass: Sequence[pytest.TestReport],
) -> StepResult:
    """Join the step's own ``result`` with the reports of its item, and with those of it that were
    ``no_pass`` at any time.

    Passed means: called and torn down, every phase passed, and none of them expected to fail. A
    step that is no test must also have a result that passed; no report can make up for that.
    """
    duration = sum(report.duration for report in reports)
    reports_pass = {"call", "teardown"} <= {report.when for report in reports} and not no_pass
    step_passes = result.outcome is Outcome.PASSED if result else step.kind is Kind.TEST
    if reports_pass and step_passes:
        if result is not None:
            # A file that was applied ahead of its item took the time that it says.
            return replace(result, duration_s=result.duration_s or duration)
        return StepResult(step=step, outcome=Outcome.PASSED, duration_s=duration, examined=1)
    failed = reports_pass or any(report.failed for report in no_pass)
    own = result.message if result else "it came to no result, whatever its report says"
    message = next(map(_reason, no_pass), own)
    return replace(
        result or StepResult(step=step, outcome=Outcome.FAILED),
        outcome=Outcome.FAILED if failed else Outcome.SKIPPED,
        duration_s=duration,
        message=message,
    )


def why_not_collected(report: pytest.CollectReport) -> str:
    """``checks/test_x.py:3: cannot be collected: E   …``, with the line where pytest names one."""
    lines = report.longreprtext.splitlines() or ["no reason given"]
    path = report.nodeid.partition("::")[0]
    named = [line for line in lines if path and line.startswith(f"{path}:")]
    where = ":".join(named[-1].split(":")[:2]) if named else path
    said = next((line for line in reversed(lines) if line.startswith("E ")), lines[-1])
    return f"{where}: cannot be collected: {said.removeprefix('E').strip()}"


def is_no_pass(report: pytest.TestReport) -> bool:
    """Whether the phase failed, was skipped, or is marked as expected to fail (xfail)."""
    return not report.passed or hasattr(report, "wasxfail")


def _reason(report: pytest.TestReport) -> str:
    """Why a report is no pass, in one line where pytest has one."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail or 'no reason given'}"
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext
