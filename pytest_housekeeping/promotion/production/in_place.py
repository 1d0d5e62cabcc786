"""``--hk-in-place``: all is proved in production's own transaction; for how long it holds locks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.model import Lock, Phase
from pytest_housekeeping.plan.steps import APPLY
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.repository.staging_evidence import staging_audits


def lock_announcement(context: RunContext) -> Iterator[str]:
    """For the terminal, before anything is done: for how long locks will be held, as far as known.

    Staging has run the same checks on the same files; production's server may be slower.
    """
    if context.plan.rehearses or not context.rules.changes_production:
        return
    seconds = _seconds_in_staging(context)
    known = "nobody has timed them: no staging run of this plan is on record here"
    if seconds is not None:
        known = f"in staging they took {seconds:.1f} s"
    yield (
        "in place: the locks of the batch are held while every check runs in production's own"
        f" transaction; {known}"
    )


def locks_in_staging(context: RunContext, segment: int) -> ForeseenLocks:
    """What the files of a segment have locked in staging, as far as that is on record here."""
    known = {step["id"]: step.get("locks", ()) for step in _steps_in_staging(context)}
    return ForeseenLocks(
        by_file={
            (file.path, file.sha256): tuple(
                Lock(relation=lock["relation"], mode=lock["mode"])
                for lock in known.get(f"{file.path}::{APPLY}", ())
            )
            for file in context.plan.segments[segment - 1].files
        }
    )


def _seconds_in_staging(context: RunContext) -> float | None:
    steps = _steps_in_staging(context)
    verified = [step for step in steps if step.get("phase") == Phase.VERIFY]
    return sum(float(step.get("duration_s", 0.0)) for step in verified) if steps else None


def _steps_in_staging(context: RunContext) -> Sequence[Mapping[str, Any]]:
    """The steps of the last staging run of this plan that is on record here."""
    repository, config = context.repository, context.config
    if repository is None:
        return ()
    for _, data in reversed([*staging_audits(repository, config)]):
        known = plain_audit(data)
        if known is not None and known["plan"].get("digest") == context.plan.digest:
            return tuple(known.get("steps", ()))
    return ()
