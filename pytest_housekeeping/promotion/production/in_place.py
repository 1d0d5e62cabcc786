"""``--hk-in-place``: all is proved in production's own transaction; for how long it holds locks."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.model import Mode, Phase
from pytest_housekeeping.promotion.context import RunContext


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


def _seconds_in_staging(context: RunContext) -> float | None:
    repository, config = context.repository, context.config
    if repository is None:
        return None
    place = repository.relative(config.root / config.audit)
    for _, data in reversed([*repository.evidence(Mode.STAGING, place)]):
        known = plain_audit(data)
        if known is None or known["plan"].get("digest") != context.plan.digest:
            continue
        steps = (step for step in known.get("steps", ()) if step.get("phase") == Phase.VERIFY)
        return sum(float(step.get("duration_s", 0.0)) for step in steps)
    return None
