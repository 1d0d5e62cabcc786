"""Questions, many in one statement; where one raises an error, each of them is asked alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.postgres.connection import Connection

_AT_ONCE = 50


def ask_together(
    connection: Connection,
    asked: Sequence[tuple[str, str]],
    settings: Sequence[tuple[str, str]] = (),
) -> list[AttemptResult]:
    """What each role is answered to its condition, in a session with these settings: a truth value,
    or an error."""
    return attempt_together(
        connection,
        [
            Attempt(role=role, settings=tuple(settings), statement=f"SELECT {condition}")
            for role, condition in asked
        ],
    )


def attempt_together(connection: Connection, attempts: Sequence[Attempt]) -> list[AttemptResult]:
    """`attempt_all` of queries for one value in JSON, in few statements.

    Those that one role asks in one session go in one. What is set up for the one may not change
    what a role sees of the other; the migrator is shown more of what it asks for alone.
    """
    unique = list(dict.fromkeys(attempts))
    sessions = [
        (each.role, each.settings, each.setup if each.role else "", each.measure, each.query)
        for each in unique
    ]
    groups = [[unique[number] for number in group] for group in together(sessions)]
    answers = attempt_all(connection, [_joined(group) for group in groups])
    results: dict[Attempt, AttemptResult] = {}
    for group, answer in zip(groups, answers, strict=True):
        if not answer.sqlstate:
            values = zip(group, answer.value, strict=True)
            results |= {attempt: AttemptResult(value=value) for attempt, value in values}
    left = [attempt for attempt in unique if attempt not in results]
    results |= dict(zip(left, attempt_all(connection, left), strict=True))
    return [results[attempt] for attempt in attempts]


def _joined(attempts: Sequence[Attempt]) -> Attempt:
    asked = ", ".join(f"({each.statement})" for each in attempts)
    return replace(
        attempts[0],
        setup="".join(dict.fromkeys(each.setup for each in attempts)),
        statement=f"SELECT pg_catalog.jsonb_build_array({asked})",
    )


def together(sessions: Sequence[Hashable]) -> Iterator[list[int]]:
    """The places of what is asked in one statement, for one role or one session asks it."""
    by_session: dict[Hashable, list[int]] = {}
    for number, session in enumerate(sessions):
        by_session.setdefault(session, []).append(number)
    for numbers in by_session.values():
        for start in range(0, len(numbers), _AT_ONCE):
            yield numbers[start : start + _AT_ONCE]
