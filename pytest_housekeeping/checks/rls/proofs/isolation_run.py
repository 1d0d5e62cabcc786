"""Try, acting for one identity, all that could reach the rows of another, and judge what came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.identities.identities import describe
from pytest_housekeeping.checks.rls.identities.visible_rows import read_owned_rows
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import (
    LOST_CONTEXT,
    MALFORMED,
    attempts_of,
    measured,
)
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.declarations.identity import Claim
from pytest_housekeeping.postgres.connection import Connection

_READ_LEAKS = {
    "see": "sees rows of {other}",
    "see foreign": "sees rows of others",
}
# What writes, in its turn: the first ones share a set-up, and commonly nothing of two stops them.
_WRITES = ("change", "delete", "move", "write", "take over")
_MEASURED = ("move", "write")
_WRITE_LEAKS = {
    "take over": "takes over a row of {other} by ON CONFLICT",
    "change": "updates rows of {other}",
    "delete": "deletes rows of {other}",
    "write": "inserts a row as {other}",
    "move": "moves its own row to {other}",
}


@dataclass(kw_only=True, slots=True)
class IsolationResult:
    """What the attempts of one identity against another have shown, in words."""

    leaks: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def try_isolation(
    connection: Connection, context: Sequence[Claim], pairs: Sequence[IdentityPair]
) -> list[IsolationResult]:
    """Try for each pair all that the role holds a privilege for; nothing of it stays."""
    asked = [(pair.identities, pair.me) for pair in pairs]
    asked += [(pair.identities, pair.other) for pair in pairs]
    owned = read_owned_rows(connection, asked)
    mine, others = owned[: len(pairs)], owned[len(pairs) :]
    trials = [
        (number, name, attempt)
        for number, (pair, my_rows, other_rows) in enumerate(zip(pairs, mine, others, strict=True))
        if my_rows.rows and other_rows.rows
        for name, attempt in attempts_of(context, pair, my_rows, other_rows)
    ]
    in_turn = sorted(trials, key=_turns(pairs))
    answered = _answered(connection, [attempt for _, _, attempt in in_turn])
    passed = {
        attempt: measured(pairs[number], attempt)
        for number, name, attempt in trials
        if name in _MEASURED and answered[attempt].rows
    }
    counted = _answered(connection, list(passed.values()))
    answered |= {attempt: counted[again] for attempt, again in passed.items()}
    results = [IsolationResult() for _ in pairs]
    for result, my_rows, other_rows in zip(results, mine, others, strict=True):
        if not my_rows.rows or not other_rows.rows:
            result.undecided.append("the rows of one identity could not be read")
    for number, name, attempt in trials:
        answer = answered[attempt]
        other = describe(pairs[number].other.identity)
        if _reads(name):
            _judge_read(results[number], name, other, answer)
        else:
            measuring = passed.get(attempt, attempt).measure != ""
            _judge_write(results[number], name, other, answer, measuring=measuring)
    return results


def _answered(connection: Connection, attempts: Sequence[Attempt]) -> dict[Attempt, AttemptResult]:
    """What each has met. What acts for nobody is the same for both identities of a pair."""
    unique = list(dict.fromkeys(attempts))
    return dict(zip(unique, attempt_all(connection, unique), strict=True))


def _turns(
    pairs: Sequence[IdentityPair],
) -> Callable[[tuple[int, str, Attempt]], tuple[int, int, int]]:
    """The order of trials in which what may share a subtransaction stands together: all that reads,
    and what would change the rows of a table and has one set-up."""
    firsts: dict[tuple[str, str], int] = {}
    for number, pair in enumerate(pairs):
        firsts.setdefault((pair.table.object, pair.privileges.role), number)

    def turn(trial: tuple[int, str, Attempt]) -> tuple[int, int, int]:
        number, name, _ = trial
        if _reads(name):
            return 0, 0, 0
        first = firsts[pairs[number].table.object, pairs[number].privileges.role]
        return 1, first, max(_WRITES.index(name) - 1, 0)

    return turn


def _reads(name: str) -> bool:
    return name in _READ_LEAKS or name.startswith(LOST_CONTEXT)


def _judge_read(result: IsolationResult, name: str, other: str, answer: AttemptResult) -> None:
    if answer.value and name in _READ_LEAKS:
        result.leaks.append(_READ_LEAKS[name].format(other=other))
    elif answer.value:
        word = "while" if name.endswith(MALFORMED) else "once"
        result.leaks.append(f"sees rows {word} its {name.replace(' ', ' is ', 1)}")
    elif name.startswith(LOST_CONTEXT):
        result.shown.append(f"{name}: {answer.sqlstate or 'no row'}")
    elif answer.sqlstate:
        result.undecided.append(f"reading failed: {answer}")
    elif name == "see":
        result.shown.append(f"sees its own rows and none of {other}")


def _judge_write(
    result: IsolationResult, name: str, other: str, answer: AttemptResult, *, measuring: bool
) -> None:
    leak = _WRITE_LEAKS[name].format(other=other)
    if answer.refused:
        result.shown.append(f"{name} refused (42501)")
    elif answer.sqlstate.startswith("23"):
        # Policies are checked before constraints: it has passed them.
        result.leaks.append(
            f"{leak}: the policies let it pass, and only a constraint stopped it ({answer.message})"
        )
    elif answer.sqlstate.startswith("42"):
        result.undecided.append(f"{name} could not be tried: {answer}")
    elif answer.sqlstate:
        result.shown.append(f"{name} refused ({answer.sqlstate})")
    elif answer.rows == 0:
        result.shown.append(f"{name}: no row of it")
    elif measuring and answer.row_delta == 0:
        result.shown.append(f"{name}: turned into its own by a trigger")
    else:
        result.leaks.append(leak)
