"""Columns that a policy compares in part with the context, and values that pass: a folder's name
that begins with one's own, the digest of a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rls.expressions.policy_reading import (
    ContextComparison,
    PolicyReading,
)
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_unique
from pytest_housekeeping.declarations.identity import Claim, settings_of
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import in_quotes

Pair = tuple[str, str]

# What a value of the context may have to be, where no column tells.
_KINDS: tuple[Pair, ...] = (
    ("5b0f6f5e-2a55-4c2b-9a53-0d6f3f5f1a01", "5b0f6f5e-2a55-4c2b-9a53-0d6f3f5f1a02"),
    ("2000000017", "2000000018"),
)
_FORMS = (
    *("{}", "{}/hk", "{}-hk", "{}:hk", "{}.hk", "hk/{}", "{} hk", "{}hk"),
    # A list of one: as an array, in JSON.
    *("{{{}}}", '["{}"]'),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Derived:
    """A column that is compared in part with a value of the context: the two values of that, and
    what the column holds in rows that pass for each."""

    item: ContextComparison
    claim: Claim
    pair: Pair
    carried: Pair


def find_derived(
    ground: ProofGround,
    compared: Iterable[ContextComparison],
    values: Mapping[tuple[str, str, str], tuple[str, ...]],
    given: Mapping[Claim, tuple[str, ...]],
) -> tuple[Derived, ...]:
    """What of the context each condition depends on, with rows that pass. ``given`` are the values
    that are chosen already, ``values`` two that each column takes."""
    tables = {(table.schema, table.name): table for table in ground.known}
    trials = [
        (item, claim, pair)
        for item in compared
        for claim in ground.context
        for pair in _pairs(given.get(claim), values.get((item.schema, item.table, item.column)))
    ]
    matched = _matched(ground, tables, trials)
    forms = [
        (item, claim, pair, form) for item, (claim, pair) in matched.items() for form in _FORMS
    ]
    passed = _ask(
        ground.connection,
        [
            (
                tables[item.schema, item.table],
                settings_of(ground.context, ((claim, value),)),
                _on_value(tables[item.schema, item.table], item, form.format(value)),
            )
            for item, claim, pair, form in forms
            for value in pair
        ],
        "({}) IS TRUE",
    )
    found: dict[ContextComparison, Derived] = {}
    for number, (item, claim, pair, form) in enumerate(forms):
        if passed[2 * number] and passed[2 * number + 1]:
            carried = form.format(pair[0]), form.format(pair[1])
            found.setdefault(item, Derived(item=item, claim=claim, pair=pair, carried=carried))
    return tuple(found.values())


def _matched(
    ground: ProofGround,
    tables: Mapping[tuple[str, str], ProtectedTable],
    trials: Sequence[tuple[ContextComparison, Claim, Pair]],
) -> dict[ContextComparison, tuple[Claim, Pair]]:
    """The first claim, with its values, on which what is compared depends."""
    changed = _ask(
        ground.connection,
        [
            (
                tables[item.schema, item.table],
                settings_of(ground.context, identity),
                item.expression,
            )
            for item, claim, pair in trials
            for identity in (((claim, pair[0]),), ((claim, pair[1]),), ())
        ],
        "({})::text",
    )
    matched: dict[ContextComparison, tuple[Claim, Pair]] = {}
    for number, (item, claim, pair) in enumerate(trials):
        one, other, nobody = changed[3 * number : 3 * number + 3]
        if one is not None and other is not None and nobody not in (one, other):
            matched.setdefault(item, (claim, pair))
    return matched


def columns_in_parts(
    reading: PolicyReading, direct: Iterable[Claim], derived: Iterable[Derived]
) -> tuple[tuple[str, Claim], ...]:
    """The columns of one table of which its policies compare a part, with what of the context; but
    for what they compare as it stands, the ``direct``."""
    as_it_stands = set(direct)
    found = {
        each.item.column: each.claim
        for each in derived
        if each.item in reading.comparisons and each.claim not in as_it_stands
    }
    return tuple(sorted(found.items(), key=str))


def _pairs(*known: tuple[str, ...] | None) -> Iterator[Pair]:
    """The values to try: those that are chosen already, else what the column takes, else others."""
    if known[0] and len(known[0]) == 2:
        yield known[0][0], known[0][1]
        return
    for each in known[1:]:
        if each and len(each) == 2:
            yield each[0], each[1]
    yield from _KINDS


def _on_value(table: ProtectedTable, item: ContextComparison, value: str) -> str:
    """The condition, asked of a row that holds the value."""
    column = table.column(item.column)
    typed = f"{literal(value)}::{column.type if column else 'text'}"
    row = f"(SELECT {typed} AS {in_quotes(item.column)}) AS {in_quotes(item.table)}"
    return f"(SELECT {item.atom} FROM {row})"


def _ask(
    connection: Connection,
    asked: Sequence[tuple[ProtectedTable, tuple[tuple[str, str], ...], str]],
    form: str,
) -> list[object]:
    """The value of each expression as the first role of its table that holds a privilege; None
    where it raises an error."""
    attempts = [
        Attempt(
            role=next((each.role for each in table.privileges if each.any), ""),
            settings=settings,
            statement=f"SELECT {form.format(text)}",
        )
        for table, settings, text in asked
    ]
    return [answer.value for answer in attempt_unique(connection, attempts)]
