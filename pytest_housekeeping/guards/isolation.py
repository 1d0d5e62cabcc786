"""Row-level security by doing: acting for one identity never reaches another's rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from pytest_housekeeping.database import Connection
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
from pytest_housekeeping.guards.holdings import Holding, read_holdings
from pytest_housekeeping.guards.identity import Identities, describe, find_identities
from pytest_housekeeping.guards.subjects import Rights, Subject, read_subjects
from pytest_housekeeping.guards.trespass import Deeds, Pair, trespass
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.registry import Rule
from pytest_housekeeping.rls import RlsContract


def prove_isolation(
    connection: Connection,
    contract: RlsContract,
    scope: Scope,
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
    identities = find_identities(connection, contract.context, known)
    _judge_unprivileged(connection, book, subjects)
    asked = [
        Holding(subject=subject, rights=rights, identity=identity)
        for subject in subjects
        for rights in subject.rights
        if rights.any and subject.owned
        for identity in identities[subject.object].candidates
    ]
    held: dict[tuple[str, str], list[Holding]] = {}
    for holding in read_holdings(connection, contract.context, asked):
        held.setdefault((holding.subject.object, holding.rights.role), []).append(holding)
    pairs: list[Pair] = []
    for subject in subjects:
        for rights in subject.rights:
            if rights.any:
                holdings = held.get((subject.object, rights.role), [])
                pairs += _choose(book, subject, rights, identities[subject.object], holdings)
    for pair, deeds in zip(pairs, trespass(connection, contract.context, pairs), strict=True):
        _judge_deeds(book, pair, deeds)
    return verdict_of(book, subjects)


def _choose(
    book: Book,
    subject: Subject,
    rights: Rights,
    identities: Identities,
    holdings: Sequence[Holding],
) -> tuple[Pair, ...]:
    """Two identities, each against the other; or a note of why there are none."""
    if not subject.owned:
        book.undecided(subject, NOT_OWNER, OWNER)
        return ()
    seeing = [holding for holding in holdings if holding.rows]
    pair = _apart(seeing)
    if pair is None and not seeing and not rights.policy and subject.row_security:
        pair = _apart(holdings) if identities.own else None
        book.show(subject, rights, "no policy lets it read, and it sees no row")
        if pair is None:
            return ()
    if pair is None:
        book.undecided(subject, f"{rights.role}: {_obstacle(identities, holdings)}", SEED)
        return ()
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


def _judge_deeds(book: Book, pair: Pair, deeds: Deeds) -> None:
    who = f"{pair.rights.role} acting for {describe(pair.me.identity)}"
    for leak in deeds.leaks:
        book.leak(pair.subject, f"{who} {leak}")
    for reason in deeds.undecided:
        book.undecided(pair.subject, f"{who}: {reason}", SEED)
    if not deeds.leaks and not deeds.undecided:
        book.show(
            pair.subject, pair.rights, f"{describe(pair.me.identity)}: {', '.join(deeds.shown)}"
        )


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
