"""Without context no row is read: proved by reading, as each untrusted role."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.database import Connection
from pytest_housekeeping.guards.absent import context_absent
from pytest_housekeeping.guards.book import (
    NOT_OWNER,
    OWNER,
    SEED,
    Book,
    chosen_of,
    open_book,
    read_any,
    verdict_of,
)
from pytest_housekeeping.guards.evaluation import Scope
from pytest_housekeeping.guards.probe import Answer, Attempt, attempt_all
from pytest_housekeeping.guards.subjects import Rights, Subject, read_subjects
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.registry import Rule
from pytest_housekeeping.rls import RlsContract

# What our own statement would raise if it were wrong: it says nothing about a policy.
_OUR_FAULT = ("42601", "42P01", "42703")


def prove_context(
    connection: Connection,
    contract: RlsContract,
    scope: Scope,
    rule: Rule,
    *,
    only: str = "",
    without: frozenset[str] = frozenset(),
) -> Verdict:
    """Without context an untrusted role reads no row, or is told an error.

    Tried with the settings absent and with ``''``. An empty table proves nothing, unless the
    role may not read it at all.
    """
    subjects = chosen_of(read_subjects(connection, scope), only, without)
    book = open_book(rule, scope)
    pairs = [(subject, rights) for subject in subjects for rights in subject.rights]
    filled = _filled(connection, subjects)
    with context_absent(connection, contract.context, scope) as unproved:
        absent = read_any(connection, pairs, ())
    empty = read_any(connection, pairs, [(name, "") for name in contract.context])
    for (subject, rights), without_context, with_empty in zip(pairs, absent, empty, strict=True):
        _judge_context(book, subject, rights, filled[subject.object], (without_context, with_empty))
    book.findings += [
        Finding(
            rule=rule.id,
            level=Level.WARNING,
            object=name,
            detail="a setting that was never set could not be tried here: another role owns it",
            fix="make the migrator its owner, or a member of its owner",
        )
        for name in unproved
    ]
    return verdict_of(book, subjects)


def _judge_context(
    book: Book, subject: Subject, rights: Rights, filled: bool | None, answers: Sequence[Answer]
) -> None:
    words = []
    for state, answer in zip(("absent", "''"), answers, strict=True):
        if answer.value:
            book.leak(subject, f"{rights.role} reads rows while the context is {state}")
            return
        if answer.sqlstate in _OUR_FAULT:
            book.undecided(
                subject, f"{rights.role}: reading failed: {answer}", "repair its policies"
            )
            return
        words.append(f"{state}: {answer.sqlstate or 'no row'}")
    if not rights.any and all(answer.refused for answer in answers):
        book.show(subject, rights, "no privilege, 42501")
    elif not (rights.select or rights.select_some):
        book.show(subject, rights, "it may not read")
    elif rights.policy is False and subject.row_security:
        book.show(subject, rights, "no policy lets it read: " + ", ".join(words))
    elif filled:
        book.show(subject, rights, ", ".join(words))
    elif filled is None:
        book.undecided(subject, NOT_OWNER, OWNER)
    else:
        book.undecided(
            subject, f"the table is empty, so that {rights.role} seeing no row proves nothing", SEED
        )


def _filled(connection: Connection, subjects: Sequence[Subject]) -> dict[str, bool | None]:
    """Whether there is a row to be seen, as the owner sees it; None: it cannot be told."""
    owned = [subject for subject in subjects if subject.owned]
    answers = attempt_all(
        connection,
        [
            Attempt(setup=subject.bare, statement=f"SELECT EXISTS (SELECT FROM {subject.object})")
            for subject in owned
        ],
    )
    found: dict[str, bool | None] = {subject.object: None for subject in subjects}
    for subject, answer in zip(owned, answers, strict=True):
        found[subject.object] = bool(answer.value)
    return found
