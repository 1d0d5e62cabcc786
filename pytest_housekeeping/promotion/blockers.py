"""Which earlier step keeps a later one from running."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_housekeeping.model import CLONE, ROWS, Kind, Outcome, Phase, Step, StepResult
from pytest_housekeeping.plan.steps import CHANGES, RUNNING, SEEDED

# What is asked of a rehearsed batch, whatever else there is to say against it.
_SIDE_BY_SIDE = {CHANGES, ROWS, RUNNING, SEEDED, CLONE}
_FATAL = (Phase.PRECHECK, Phase.BACKUP, Phase.APPLY, Phase.SEED, Phase.AFTER)
# What the schema decides is told of a schema whose seeds fail: it may be why they do.
_WITHOUT_SEEDS = (Kind.OBJECT, Kind.RLS, Kind.BOUNDARY)
# A watch reports all that is wrong: only what makes the database the wrong one ends it.
_REPORTED_IN_A_WATCH = ("history", "roles", "drift")


def blocker_of(step: Step, troubles: Iterable[StepResult], *, watches: bool) -> str | None:
    """The id of the first of the steps without a pass because of which this one cannot run."""
    fatal = _fatal_for(step)
    for result in troubles:
        earlier = result.step
        if watches and earlier.name in _REPORTED_IN_A_WATCH:
            continue
        if watches and earlier.phase in (Phase.BACKUP, Phase.REHEARSE):
            # What the rows decide is told although there is no copy to prove the rest on.
            if earlier.phase is Phase.BACKUP and step.phase in (Phase.BACKUP, Phase.REHEARSE):
                return earlier.id
            continue
        if _stops_rehearsal(earlier, step):
            return earlier.id
        if earlier.phase in fatal and earlier.segment <= step.segment:
            return earlier.id
        if earlier.kind is Kind.PROMOTE and earlier.segment < step.segment:
            return earlier.id
        if step.kind is Kind.PROMOTE and result.outcome is Outcome.FAILED:
            return earlier.id
    return None


def _fatal_for(step: Step) -> tuple[Phase, ...]:
    """The phases of which each earlier step has to pass."""
    if step.kind is Kind.AFTER:
        return ()  # it waits for its own COMMIT alone
    if step.kind in (Kind.LINT, Kind.PRECHECK) and step.name != "history":
        return (Phase.PRECHECK,) if step.kind is Kind.PRECHECK else ()
    if step.kind in _WITHOUT_SEEDS:
        return tuple(phase for phase in _FATAL if phase is not Phase.SEED)
    return _FATAL


def _stops_rehearsal(earlier: Step, step: Step) -> bool:
    """A file that the copy refused ends the rehearsal, and production sees nothing of a batch of
    which any part was not proved. Checks of the copy do not stop each other."""
    if earlier.phase is not Phase.REHEARSE:
        return False
    if step.phase is Phase.REHEARSE:
        return earlier.kind is Kind.REHEARSAL and not {earlier.name, step.name} <= _SIDE_BY_SIDE
    return step.phase in (Phase.APPLY, Phase.VERIFY, Phase.PROMOTE)
