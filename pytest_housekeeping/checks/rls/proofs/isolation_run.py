"""Try, acting for one identity, all that could reach the rows of another, and judge what came."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rls.identities.identities import describe
from pytest_housekeeping.checks.rls.identities.visible_rows import OwnedRows, read_owned_rows
from pytest_housekeeping.checks.rls.proofs.alike_pairs import (
    decided_by_policies,
    told_of,
    what_decides,
)
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import (
    LOST_CONTEXT,
    MALFORMED,
    attempts_of,
    measured,
)
from pytest_housekeeping.checks.rls.proofs.isolation_pairs import IdentityPair
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_unique
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
    """What the attempts of one identity against another have shown, in words; ``by_policies``: all
    was in vain, and nothing but policies has seen to that."""

    leaks: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    by_policies: bool = False


def try_isolation(
    connection: Connection, context: Sequence[Claim], pairs: Sequence[IdentityPair]
) -> list[IsolationResult]:
    """Try for each pair all that the role holds a privilege for; nothing of it stays. Of pairs that
    are alike the first is tried, and the others where it was not the policies that refused it."""
    asked = [(pair.identities, pair.me) for pair in pairs]
    asked += [(pair.identities, pair.other) for pair in pairs]
    owned = read_owned_rows(connection, asked)
    trials = [
        _Trial(pair=pair, mine=mine, others=others)
        for pair, mine, others in zip(pairs, owned[: len(pairs)], owned[len(pairs) :], strict=True)
    ]
    firsts: dict[Hashable, _Trial] = {}
    alike: list[tuple[_Trial, _Trial]] = []
    chosen: list[_Trial] = []
    for trial in trials:
        decided_by = what_decides(trial.pair, trial.mine, trial.others)
        first = trial if decided_by is None else firsts.setdefault(decided_by, trial)
        if first is trial:
            chosen.append(trial)
        else:
            alike.append((trial, first))
    _try_all(connection, context, chosen)
    _try_all(connection, context, [trial for trial, first in alike if not first.result.by_policies])
    for trial, first in alike:
        if first.result.by_policies:
            trial.result.shown += [*first.result.shown, told_of(first.pair.table)]
            trial.result.by_policies = True
    return [trial.result for trial in trials]


@dataclass(kw_only=True, slots=True)
class _Trial:
    """A pair, the rows of both, and what has come of it."""

    pair: IdentityPair
    mine: OwnedRows
    others: OwnedRows
    result: IsolationResult = field(default_factory=IsolationResult)


def _try_all(connection: Connection, context: Sequence[Claim], trials: Sequence[_Trial]) -> None:
    """Try each pair by itself, and judge what came."""
    asked = [
        (trial, name, attempt)
        for trial in trials
        if trial.mine.rows and trial.others.rows
        for name, attempt in attempts_of(context, trial.pair, trial.mine, trial.others)
    ]
    in_turn = sorted(asked, key=_turns(trials))
    answered = _answered(connection, [attempt for _, _, attempt in in_turn])
    passed = {
        attempt: measured(trial.pair, attempt)
        for trial, name, attempt in asked
        if name in _MEASURED and answered[attempt].rows
    }
    counted = _answered(connection, list(passed.values()))
    answered |= {attempt: counted[again] for attempt, again in passed.items()}
    for trial in trials:
        trial.result.by_policies = bool(trial.mine.rows and trial.others.rows)
        if not trial.result.by_policies:
            trial.result.undecided.append("the rows of one identity could not be read")
    for trial, name, attempt in asked:
        answer, other = answered[attempt], describe(trial.pair.other.identity)
        trial.result.by_policies = trial.result.by_policies and decided_by_policies(name, answer)
        if _reads(name):
            _judge_read(trial.result, name, other, answer)
        else:
            measuring = passed.get(attempt, attempt).measure != ""
            _judge_write(trial.result, name, other, answer, measuring=measuring)


def _answered(connection: Connection, attempts: Sequence[Attempt]) -> dict[Attempt, AttemptResult]:
    """What each has met. What acts for nobody is the same for both identities of a pair."""
    return dict(zip(attempts, attempt_unique(connection, attempts), strict=True))


def _turns(
    trials: Sequence[_Trial],
) -> Callable[[tuple[_Trial, str, Attempt]], tuple[int, int, int]]:
    """The order of trials in which what may share a subtransaction stands together: all that reads,
    and what would change the rows of a table and has one set-up."""
    firsts: dict[tuple[str, str], int] = {}
    for number, trial in enumerate(trials):
        firsts.setdefault(_place(trial), number)

    def turn(asked: tuple[_Trial, str, Attempt]) -> tuple[int, int, int]:
        trial, name, _ = asked
        if _reads(name):
            return 0, 0, 0
        return 1, firsts[_place(trial)], max(_WRITES.index(name) - 1, 0)

    return turn


def _place(trial: _Trial) -> tuple[str, str]:
    return trial.pair.table.object, trial.pair.privileges.role


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
