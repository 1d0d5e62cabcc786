"""The results of steps, from what a file did or what a check found; and which have no pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_housekeeping.errors import ProofFailed, listed
from pytest_housekeeping.model import Applied, Kind, Outcome, Step, StepResult, Verdict


def applied_result(step: Step, applied: Applied, attempts: Sequence[str] = ()) -> StepResult:
    """The result of a file that is in the transaction."""
    said = [f"{applied.statements} statements, {applied.rows} rows"]
    said += [f"put back: {', '.join(applied.put_back)}"] if applied.put_back else []
    return StepResult(
        step=step,
        outcome=Outcome.PASSED,
        examined=applied.statements,
        statements=applied.statements,
        rows=applied.rows,
        locks=applied.locks,
        duration_s=applied.duration_s,
        message="; ".join((*said, *attempts)),
    )


def steps_without_pass(steps: Iterable[Step], results: Mapping[str, StepResult]) -> list[str]:
    """The ids of those without a recorded pass, each with how it ended."""
    missing = []
    for step in steps:
        result = results.get(step.id)
        if result is None:
            missing.append(f"{step.id} (never reported)")
        elif result.outcome is not Outcome.PASSED:
            missing.append(f"{step.id} ({result.outcome})")
    return missing


def refused_commit(missing: Sequence[str]) -> ProofFailed:
    """Why a segment is not committed: these required steps have no recorded pass."""
    return ProofFailed(
        f"{len(missing)} required steps have no recorded pass:{listed(missing, 20)}",
        why="only evidence of passing allows the commit; nothing was changed",
        fix="run the whole plan; nothing of it may be deselected, skipped or xfailed",
    )


def check_result(step: Step, verdict: Verdict, message: str) -> StepResult:
    """The result of a verification; one that examined nothing is a failure with that reason."""
    said = message or f"{verdict.examined} {verdict.unit} examined"
    if not verdict.examined:
        said = f"nothing was examined: {message or 'no ' + verdict.unit + ' found'}"
    if verdict.shown_at:
        trips = step.kind is Kind.TRIPWIRE
        same = "rules on the same server" if trips else "files on the same schema"
        said += f"; shown at {verdict.shown_at} by a run of the same {same}"
    return StepResult(
        step=step,
        outcome=Outcome.PASSED if verdict.passed else Outcome.FAILED,
        examined=verdict.examined,
        message=said,
        findings=verdict.findings,
        coverage=verdict.coverage,
        shown_at=verdict.shown_at,
        exempted=verdict.exempted,
    )
