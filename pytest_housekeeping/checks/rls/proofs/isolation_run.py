"""Try, as one identity, to see, change, delete, write and take over what belongs to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.identities.identities import describe
from pytest_housekeeping.checks.rls.identities.visible_rows import read_samples
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import LOST, Pair, attempts
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.postgres.connection import Connection


@dataclass(kw_only=True, slots=True)
class Deeds:
    """What came of the attempts: leaks, open questions, and what was shown."""

    leaks: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def trespass(connection: Connection, context: Sequence[str], pairs: Sequence[Pair]) -> list[Deeds]:
    """Try everything that the role has a privilege for, one subtransaction each."""
    mine = read_samples(connection, [(pair.identities, pair.me) for pair in pairs])
    others = read_samples(connection, [(pair.identities, pair.other) for pair in pairs])
    trials = [
        (number, name, attempt)
        for number, (pair, me, other) in enumerate(zip(pairs, mine, others, strict=True))
        if me.rows and other.rows
        for name, attempt in attempts(context, pair, me, other)
    ]
    answers = attempt_all(connection, [attempt for _, _, attempt in trials])
    deeds = [Deeds() for _ in pairs]
    for number, (me, other) in enumerate(zip(mine, others, strict=True)):
        if not me.rows or not other.rows:
            deeds[number].undecided.append("the rows of one identity could not be read")
    for (number, name, attempt), answer in zip(trials, answers, strict=True):
        _judge(deeds[number], name, describe(pairs[number].other.identity), attempt, answer)
    return deeds


def _judge(deeds: Deeds, name: str, other: str, attempt: Attempt, answer: AttemptResult) -> None:
    if name in _READINGS:
        _judge_reading(deeds, name, other, answer)
    elif answer.refused:
        deeds.shown.append(f"{name} refused (42501)")
    elif answer.sqlstate.startswith("23"):
        deeds.leaks.append(
            f"{_LEAKS[name].format(other=other)}: the policies let it pass, and only a constraint"
            f" stopped it ({answer.message})"
        )
    elif answer.sqlstate.startswith("42"):
        deeds.undecided.append(f"{name} could not be tried: {answer}")
    elif answer.sqlstate:
        deeds.shown.append(f"{name} refused ({answer.sqlstate})")
    elif answer.rows == 0:
        deeds.shown.append(f"{name}: no row of it")
    elif attempt.measure and answer.row_delta == 0:
        deeds.shown.append(f"{name}: turned into its own by a trigger")
    else:
        deeds.leaks.append(_LEAKS[name].format(other=other))


def _judge_reading(deeds: Deeds, name: str, other: str, answer: AttemptResult) -> None:
    if answer.value:
        deeds.leaks.append(_READINGS[name].format(other=other))
    elif name in LOST:
        deeds.shown.append(f"{name}: {answer.sqlstate or 'no row'}")
    elif answer.sqlstate:
        deeds.undecided.append(f"reading failed: {answer}")
    elif name == "see":
        deeds.shown.append(f"sees its own rows and none of {other}")


_READINGS = {
    "see": "sees rows of {other}",
    "see foreign": "sees rows of others",
    "context ''": "sees rows once its context is ''",
    "context malformed": "sees rows while its context is malformed",
}
_LEAKS = {
    "take over": "takes over a row of {other} by ON CONFLICT",
    "change": "updates rows of {other}",
    "delete": "deletes rows of {other}",
    "write": "inserts a row as {other}",
    "move": "moves its own row to {other}",
}
