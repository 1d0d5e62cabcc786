"""How a fleet stands after a run: the outcome, databases by state, and what is wrong with which."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.fleet_record import (
    ARCHIVED,
    AWAY,
    FAILED,
    LEFT,
    LEFT_OUT,
    PASSED,
    PENDING,
    UP_TO_DATE,
    FleetRecord,
)
from pytest_housekeeping.model import Mode, RunOutcome

# In this order they are told; the last four are as they should be.
STATES = (FAILED, LEFT_OUT, AWAY, LEFT, PASSED, PENDING, UP_TO_DATE, ARCHIVED)
_WELL = STATES[4:]
_MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A database, or a group, with which something is wrong; ``said`` is what."""

    name: str
    where: str
    how: str
    said: str


def outcome_of_fleet(record: FleetRecord) -> RunOutcome:
    """The outcome in the words of a run on one database."""
    done = [each for _, each in record.members if each.how == PASSED]
    if record.mode is Mode.PLAN:
        behind = any(group.pending for group in record.groups)
        well = RunOutcome.PLANNED if behind else RunOutcome.NOTHING_TO_PROMOTE
        return well if record.complete else RunOutcome.ROLLED_BACK
    if record.mode is Mode.VERIFY:
        return RunOutcome.NOTHING_TO_PROMOTE if record.complete else RunOutcome.ROLLED_BACK
    unproved = RunOutcome.PROMOTED_UNPROVED.value
    if any(each.outcome == unproved for _, each in record.members):
        return RunOutcome.PROMOTED_UNPROVED
    if untold(record):
        return RunOutcome.UNKNOWN
    if record.complete:
        return RunOutcome.PROMOTED if done else RunOutcome.NOTHING_TO_PROMOTE
    return RunOutcome.PROMOTED_IN_PART if done else RunOutcome.REFUSED


def troubles(record: FleetRecord) -> list[Trouble]:
    """What is not as it should be, groups first: what is wrong with one is wrong with all of it.
    Databases that were not begun for one reason are told together."""
    found = [
        Trouble(name=group.name, where="rehearsal", how=FAILED, said=group.detail)
        for group in record.groups
        if group.how == FAILED
    ]
    found += [
        Trouble(name=each.name, where="rows", how=FAILED, said=each.detail) for each in record.rows
    ]
    members = [pair for pair in record.members if pair[1].how not in _WELL]
    members.sort(key=lambda pair: STATES.index(pair[1].how))
    waiting: dict[tuple[str, str], list[str]] = {}
    for wave, each in members:
        if each.how == LEFT:
            waiting.setdefault((wave, each.detail), []).append(each.name)
        else:
            found.append(Trouble(name=each.name, where=wave, how=each.how, said=each.detail))
    found += [
        Trouble(name=named(names, _MOST_NAMED), where=wave, how=LEFT, said=said)
        for (wave, said), names in waiting.items()
    ]
    return found


def untold(record: FleetRecord) -> list[str]:
    """The databases of which a run was begun and has left no record: it may have promoted them."""
    return [each.name for _, each in record.members if each.how == FAILED and not each.run]


def counted(record: FleetRecord) -> list[tuple[str, int]]:
    """The databases by state, in the order in which they are told."""
    return [(how, record.counts[how]) for how in STATES if record.counts.get(how)]
