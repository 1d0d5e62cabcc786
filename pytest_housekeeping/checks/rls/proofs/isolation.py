"""Row-level security by doing: acting for one identity never reaches another's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from pytest_housekeeping.checks.rls.findings import (
    NOT_OWNER,
    OWNER,
    SEED,
    Book,
    chosen_of,
    open_book,
    read_any,
    verdict_of,
)
from pytest_housekeeping.checks.rls.identities.identities import (
    Identities,
    describe,
    find_identities,
)
from pytest_housekeeping.checks.rls.identities.visible_rows import Holding, read_holdings
from pytest_housekeeping.checks.rls.planner.own_rows import commands_of, prove_own_only
from pytest_housekeeping.checks.rls.planner.prove import condition_of
from pytest_housekeeping.checks.rls.proofs.copy_out import copy_out
from pytest_housekeeping.checks.rls.proofs.isolation_attempts import Pair
from pytest_housekeeping.checks.rls.proofs.isolation_run import Deeds, trespass
from pytest_housekeeping.checks.rls.rows.canary import Canaries, canaries
from pytest_housekeeping.checks.rls.rows.made_up_identities import invent
from pytest_housekeeping.checks.rls.tables import Rights, Subject, read_subjects, read_touched
from pytest_housekeeping.checks.rules.scope import RuleScope
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection


def prove_isolation(
    connection: Connection,
    contract: RlsContract,
    scope: RuleScope,
    rule: Rule,
    *,
    only: str = "",
    without: frozenset[str] = frozenset(),
) -> Verdict:
    """Acting for one identity, a role never sees, changes, deletes, writes or takes over what
    belongs to another, and does see its own.

    A table for which that control is missing is undecided, which is an error.
    """
    known = read_subjects(connection, scope)
    subjects = chosen_of(known, only, without)
    book = open_book(rule, scope)
    _judge_unprivileged(connection, book, subjects)
    asked = [
        _Missing(subject=subject, rights=rights)
        for subject in subjects
        for rights in subject.rights
        if rights.any
    ]
    context = contract.context
    if scope.avoid_locks:
        asked = _prove_untouched(connection, context, book, known, asked)
    elif asked:
        found = find_identities(connection, context, known)
        asked = _prove(connection, context, book, asked, found)
    _prove_made_up(connection, context, book, known, asked, rows_too=scope.avoid_locks)
    return verdict_of(book, subjects)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Missing:
    """A role for which no two identities were found on a table, and why."""

    subject: Subject
    rights: Rights
    reason: str = ""


def _prove_untouched(
    connection: Connection,
    context: Sequence[str],
    book: Book,
    known: Sequence[Subject],
    asked: Sequence[_Missing],
) -> list[_Missing]:
    """Tables that others may be at work on: the planner's proof needs no lock on them."""
    touched = read_touched(connection)
    free = [each for each in asked if each.subject.object not in touched]
    chosen = tuple(dict.fromkeys(each.subject for each in free))
    if not chosen:
        return list(asked)
    identities = invent(connection, context, known, chosen).identities
    proofs = prove_own_only(
        connection,
        context,
        [(each.subject, each.rights, identities[each.subject.object]) for each in free],
    )
    proved = {each: proof for each, proof in zip(free, proofs, strict=True) if proof}
    for each, proof in proved.items():
        book.show(each.subject, each.rights, proof)
    return [each for each in asked if each not in proved]


def _prove_made_up(
    connection: Connection,
    context: Sequence[str],
    book: Book,
    known: Sequence[Subject],
    missing: Sequence[_Missing],
    *,
    rows_too: bool,
) -> None:
    """With rows made up for two identities; where there can be none, by the planner."""
    if not missing:
        return
    chosen = tuple(dict.fromkeys(each.subject for each in missing))
    with canaries(connection, context, known, chosen) as laid:
        left = _prove(connection, context, book, missing, laid.identities, laid)
    if rows_too and left:
        found = find_identities(connection, context, known)
        left = _prove(connection, context, book, left, found)
    _prove_by_plan(connection, context, book, left, laid)


def _prove(
    connection: Connection,
    context: Sequence[str],
    book: Book,
    asked: Sequence[_Missing],
    identities: Mapping[str, Identities],
    laid: Canaries | None = None,
) -> list[_Missing]:
    """Pit two identities against each other for each role; what lacks them is handed back."""
    wanted = [
        Holding(subject=each.subject, rights=each.rights, identity=identity)
        for each in asked
        if each.subject.owned or laid
        for identity in identities[each.subject.object].candidates
    ]
    held: dict[tuple[str, str], list[Holding]] = {}
    for holding in read_holdings(connection, context, wanted):
        held.setdefault((holding.subject.object, holding.rights.role), []).append(holding)
    pairs: list[Pair] = []
    missing: list[_Missing] = []
    for each in asked:
        subject, rights = each.subject, each.rights
        holdings = held.get((subject.object, rights.role), [])
        chosen = _choose(book, subject, rights, identities[subject.object], holdings, laid)
        if isinstance(chosen, str):
            missing.append(replace(each, reason=each.reason or chosen))
        else:
            pairs += chosen
    for pair, deeds in zip(pairs, trespass(connection, context, pairs), strict=True):
        _judge_deeds(book, pair, deeds, "rows made up: " if laid else "")
    _judge_copies(connection, context, book, pairs)
    return missing


def _prove_by_plan(
    connection: Connection,
    context: Sequence[str],
    book: Book,
    missing: Sequence[_Missing],
    laid: Canaries,
) -> None:
    """Where no row can be made, the planner may show that nobody's rows pass but one's own."""
    asked = [(each.subject, each.rights, laid.identities[each.subject.object]) for each in missing]
    for each, proof in zip(missing, prove_own_only(connection, context, asked), strict=True):
        if proof:
            book.show(each.subject, each.rights, proof)
            continue
        reason = laid.reasons.get(each.subject.object, "")
        book.undecided(
            each.subject,
            f"{each.rights.role}: {each.reason}"
            + (f"; no row was made up: {reason}" * bool(reason)),
            SEED,
        )


def _choose(
    book: Book,
    subject: Subject,
    rights: Rights,
    identities: Identities,
    holdings: Sequence[Holding],
    laid: Canaries | None,
) -> tuple[Pair, ...] | str:
    """Two identities, each against the other; or why there are none."""
    if not subject.owned and not laid:
        return f"{NOT_OWNER}; {OWNER}"
    seeing = [holding for holding in holdings if holding.rows]
    pair = _apart(seeing)
    if pair is None and not seeing and not rights.policy and subject.row_security:
        pair = _apart(holdings) if identities.own else None
        closed = all(condition_of(subject, rights, each) is None for each in commands_of(rights))
        if pair is not None or closed:
            book.show(subject, rights, "no policy lets it read, and it sees no row")
        if pair is None and closed:
            return ()
    if pair is None:
        return _obstacle(identities, holdings)
    one, other = pair
    return (
        Pair(subject=subject, rights=rights, identities=identities, me=one, other=other),
        Pair(subject=subject, rights=rights, identities=identities, me=other, other=one),
    )


def _apart(holdings: Sequence[Holding]) -> tuple[Holding, Holding] | None:
    """Two that carry the same settings, differ in each, and share the fewest rows."""
    pairs = [
        (len(set(one.rows) & set(other.rows)), number, one, other)
        for number, (one, other) in enumerate(combinations(holdings, 2))
        if [setting for setting, _ in one.identity] == [setting for setting, _ in other.identity]
        and not set(one.identity) & set(other.identity)
    ]
    if not pairs:
        return None
    _, _, one, other = min(pairs, key=lambda pair: pair[:2])
    return one, other


def _obstacle(identities: Identities, holdings: Sequence[Holding]) -> str:
    if identities.unread:
        return f"a policy could not be read: {identities.unread[0]}"
    if not holdings:
        return "no identity is known: no row tells which values the context may have"
    errors = [holding.error for holding in holdings if holding.error]
    seeing = [holding for holding in holdings if holding.rows]
    tried = "; ".join(describe(holding.identity) for holding in holdings)
    if len(seeing) == 1:
        return f"of the identities tried ({tried}) only one sees a row of its own"
    if errors:
        return f"reading failed for every identity tried ({tried}): {errors[0]}"
    return f"the control fails: acting for {tried} it sees no row, not even its own"


def _judge_deeds(book: Book, pair: Pair, deeds: Deeds, source: str) -> None:
    who = f"{pair.rights.role} acting for {describe(pair.me.identity)}"
    for leak in deeds.leaks:
        book.leak(pair.subject, f"{who} {leak}")
    for reason in deeds.undecided:
        book.undecided(pair.subject, f"{who}: {reason}", SEED)
    if not deeds.leaks and not deeds.undecided:
        book.show(
            pair.subject,
            pair.rights,
            f"{source}{describe(pair.me.identity)}: {', '.join(deeds.shown)}",
        )


def _judge_copies(
    connection: Connection, context: Sequence[str], book: Book, pairs: Sequence[Pair]
) -> None:
    asked = list(dict.fromkeys((pair.subject, pair.rights) for pair in pairs if pair.rights.select))
    answers = copy_out(connection, context, asked)
    for (subject, rights), answer in zip(asked, answers, strict=True):
        if answer:
            book.show(subject, rights, f"COPY while the context is '': {answer}")
        else:
            book.leak(subject, f"{rights.role} copies rows out while the context is ''")


def _judge_unprivileged(connection: Connection, book: Book, subjects: Sequence[Subject]) -> None:
    """A role without any privilege is told so when it tries."""
    pairs = [
        (subject, rights) for subject in subjects for rights in subject.rights if not rights.any
    ]
    for (subject, rights), answer in zip(pairs, read_any(connection, pairs, ()), strict=True):
        if answer.refused:
            book.show(subject, rights, "no privilege, 42501")
        else:
            book.leak(
                subject, f"{rights.role} holds no privilege, and yet SELECT answers: {answer}"
            )
