"""Without context no row is read: proved by reading as each untrusted role, and by the planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.context_only import read_purity
from pytest_housekeeping.checks.rls.expressions.rewrite import settings_in
from pytest_housekeeping.checks.rls.findings import Book, chosen_of, open_book, read_any, verdict_of
from pytest_housekeeping.checks.rls.planner.no_context import Openness, judge_openness
from pytest_housekeeping.checks.rls.proofs.unset_setting import context_absent
from pytest_housekeeping.checks.rls.tables import Rights, Subject, read_subjects, read_touched
from pytest_housekeeping.checks.rules.attempts import Attempt, AttemptResult, attempt_all
from pytest_housekeeping.checks.rules.scope import RuleScope
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

# What our own statement would raise if it were wrong: it says nothing about a policy.
_OUR_FAULT = ("42601", "42P01", "42703")


def prove_no_context(
    connection: Connection,
    contract: RlsContract,
    scope: RuleScope,
    rule: Rule,
    *,
    only: str = "",
    without: frozenset[str] = frozenset(),
) -> Verdict:
    """Without context an untrusted role reads no row, or is told an error.

    Tried with the settings absent and with ``''``. An empty table shows nothing by reading; the
    planner proves for rows of any kind that none passes the policies, or finds one that does.
    """
    subjects = chosen_of(read_subjects(connection, scope), only, without)
    book = open_book(rule, scope)
    pairs = [(subject, rights) for subject in subjects for rights in subject.rights]
    purity = read_purity(connection)
    texts = [text for subject in subjects for text in subject.expressions]
    context = tuple(dict.fromkeys((*contract.context, *settings_in(texts, purity))))
    with context_absent(connection, context, scope) as unproved:
        absent = read_any(connection, pairs, ())
        now = {each.object: each for each in read_subjects(connection, scope)}
        rewritten = [(now[subject.object], rights) for subject, rights in pairs]
        open_absent = judge_openness(connection, purity, rewritten, (), "absent")
    settings = tuple((name, "") for name in context)
    empty = read_any(connection, pairs, settings)
    open_empty = judge_openness(connection, purity, pairs, settings, "''")
    touched = read_touched(connection) if scope.avoid_locks else frozenset()
    opaque = {
        subject.object
        for (subject, _), *states in zip(pairs, open_absent, open_empty, strict=True)
        if any(state.silent and state.opaque for state in states)
    }
    looked = [
        subject
        for subject in subjects
        if not scope.avoid_locks or subject.object in touched | opaque
    ]
    filled = _filled(connection, subjects, looked)
    for number, (subject, rights) in enumerate(pairs):
        case = _Case(
            subject=subject,
            rights=rights,
            filled=filled[subject.object],
            answers=(absent[number], empty[number]),
            openness=(open_absent[number], open_empty[number]),
        )
        _judge_context(book, case)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One role on one table: what reading said, and what the planner says, '' after absent."""

    subject: Subject
    rights: Rights
    filled: bool | None
    answers: tuple[AttemptResult, AttemptResult]
    openness: tuple[Openness, Openness]


def _judge_context(book: Book, case: _Case) -> None:
    subject, rights = case.subject, case.rights
    words = []
    for state, answer in zip(("absent", "''"), case.answers, strict=True):
        if answer.value:
            book.leak(subject, f"{rights.role} reads rows while the context is {state}")
            return
        if answer.sqlstate in _OUR_FAULT:
            book.undecided(
                subject, f"{rights.role}: reading failed: {answer}", "repair its policies"
            )
            return
        words.append(f"{state}: {answer.sqlstate or 'no row'}")
    if not rights.any and all(answer.refused for answer in case.answers):
        book.show(subject, rights, "no privilege, 42501")
    elif not _planned(book, case, words):
        return
    elif not (rights.select or rights.select_some):
        book.show(subject, rights, f"it may not read; {_proved(case)}")
    elif rights.policy is False and subject.row_security:
        book.show(subject, rights, f"no policy lets it read: {', '.join(words)}; {_proved(case)}")
    elif case.filled:
        book.show(subject, rights, f"{', '.join(words)}; {_proved(case)}")
    else:
        book.show(subject, rights, f"no row to try it on; {_proved(case)}")


def _proved(case: _Case) -> str:
    """An error is no row: it is said which one."""
    raised = [
        f"{state}: {each.raised.split()[0]}"
        for state, each in zip(("absent", "''"), case.openness, strict=True)
        if each.raised
    ]
    return "the planner: no row passes its policies" + (f" ({', '.join(raised)})" * bool(raised))


def _planned(book: Book, case: _Case, words: Sequence[str]) -> bool:
    """Whether the planner has proved the table closed; what it has not, is said."""
    subject, rights = case.subject, case.rights
    for each in case.openness:
        if each.leak:
            book.leak(subject, each.leak)
            return False
    silent = [each for each in case.openness if each.silent]
    if not silent:
        return True
    if case.filled and all(each.opaque for each in silent):
        book.show(
            subject, rights, f"{', '.join(words)}; the planner is not told: {silent[0].silent}"
        )
    else:
        book.undecided(subject, " ".join(silent[0].silent.split()), _DECIDES)
    return False


_DECIDES = (
    "compare a column with nullif(current_setting('<the setting>', true), '') in every alternative;"
    " a function of your own that rows must decide about is decided by seed rows"
)


def _filled(
    connection: Connection, subjects: Sequence[Subject], looked: Sequence[Subject]
) -> dict[str, bool | None]:
    """Whether there is a row to be seen, as the owner sees it; None: it was not looked at."""
    owned = [subject for subject in looked if subject.owned]
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
