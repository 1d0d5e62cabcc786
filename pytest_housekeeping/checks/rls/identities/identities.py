"""Identities to act for: the settings that carry them, and the values that the rows belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.expressions.policy_reading import (
    ContextComparison,
    ContextConstant,
    PolicyReading,
)
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.identities.derived_values import (
    columns_in_parts,
    find_derived,
)
from pytest_housekeeping.checks.rls.pages import tables_without_pages
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.together import attempt_together
from pytest_housekeeping.declarations.identity import Claim, Identity, settings_of
from pytest_housekeeping.postgres.connection import Connection

# Rows that are looked at, and distinct values that are taken from them.
_SAMPLE = 10_000
_DISTINCT = 8
# Identities that are tried on a table: from its own rows, or from those of other tables.
_OWN = 3
_ELSEWHERE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class TableIdentities:
    """The identities to act for on one table.

    ``identity_columns`` pairs columns of the table with the setting that each is compared with;
    without any, the ``candidates`` come from other tables, and the rows that they see decide.
    ``policy_columns`` are all columns of the table that its policies name. The ``constants`` are
    what identities have in common: a role that the policies ask for. ``derived`` are columns that
    policies compare in part, or what they make of them, with such a setting.
    """

    identity_columns: tuple[tuple[str, Claim], ...]
    policy_columns: tuple[str, ...]
    unread_expressions: tuple[str, ...]
    candidates: tuple[Identity, ...]
    constants: Identity = ()
    derived: tuple[tuple[str, Claim], ...] = ()


def find_identities(ground: ProofGround) -> Mapping[str, TableIdentities]:
    """The identities to act for on each table, by its name, the likeliest first."""
    connection, tables = ground.connection, ground.known
    readings = {table.object: read_policies(table, ground.functions) for table in tables}
    compared = sorted(
        {item for one in readings.values() for item in one.comparisons if not item.atom},
        key=lambda item: (item.schema, item.table, item.column, item.expression),
    )
    parts = list(
        dict.fromkeys(item for one in readings.values() for item in one.comparisons if item.atom)
    )
    values = _read_values(connection, tables, [*compared, *parts])
    settings = match_settings(ground, compared, values)
    popular: Counter[Identity] = Counter(
        ((settings[item.expression], value),)
        for item in compared
        if item.expression in settings
        for value in values[item.schema, item.table, item.column]
    )
    columns = {
        table.object: identity_columns(table, readings[table.object], settings) for table in tables
    }
    combined = _read_combinations(connection, tables, columns)
    two = {key: found[:2] for key, found in values.items()}
    known = {
        settings[item.expression]: two[item.schema, item.table, item.column]
        for item in reversed(compared)
        if item.expression in settings
    }
    derived = find_derived(ground, parts, two, known)
    return {
        table.object: TableIdentities(
            identity_columns=columns[table.object],
            policy_columns=readings[table.object].columns,
            unread_expressions=readings[table.object].unread,
            candidates=_most_popular(combined[table.object], popular, _OWN)
            if columns[table.object]
            else _most_popular(popular, popular, _ELSEWHERE),
            derived=columns_in_parts(
                readings[table.object], dict(columns[table.object]).values(), derived
            ),
        )
        for table in tables
    }


def describe(identity: Identity) -> str:
    """``app.tenant_id = 42`` as a person reads it."""
    return ", ".join(f"{claim} = {value}" for claim, value in identity)


def match_settings(
    ground: ProofGround,
    compared: Sequence[ContextComparison],
    values: Mapping[tuple[str, str, str], tuple[str, ...]],
) -> Mapping[str, Claim]:
    """What of the context each compared expression reads: that which has it return the value of the
    compared column that was set."""
    first = {
        item.expression: values[item.schema, item.table, item.column][0]
        for item in reversed(compared)
        if values[item.schema, item.table, item.column]
    }
    samples = [ContextConstant(expression=text, value=value) for text, value in first.items()]
    found: dict[str, Claim] = {}
    for each, claim, value in _evaluated(ground, samples):
        if value is not None and each.value in str(value):
            found.setdefault(each.expression, claim)
    return found


def match_constants(
    ground: ProofGround, readings: Mapping[str, PolicyReading]
) -> Mapping[ContextConstant, Claim]:
    """What of the context has to have the value that a policy holds itself, as for ``role``."""
    constants = dict.fromkeys(each for one in readings.values() for each in one.constants)
    found: dict[ContextConstant, Claim] = {}
    for each, claim, value in _evaluated(ground, constants):
        if value == each.value or (each.anything and each.value in str(value)):
            found.setdefault(each, claim)
    return found


def _evaluated(
    ground: ProofGround, constants: Iterable[ContextConstant]
) -> list[tuple[ContextConstant, Claim, Any]]:
    """What each expression returns for each value of the context and role, with that value alone
    set to what the expression is compared with."""
    roles = sorted({each.role for table in ground.known for each in table.privileges})
    trials = [
        (each, claim, role) for each in constants for claim in ground.context for role in roles
    ]
    results = attempt_all(
        ground.connection,
        [
            Attempt(
                role=role,
                settings=settings_of(ground.context, ((claim, each.value),)),
                statement=f"SELECT ({each.expression})::text",
            )
            for each, claim, role in trials
        ],
    )
    return [
        (each, claim, result.value)
        for (each, claim, _), result in zip(trials, results, strict=True)
    ]


def identity_columns(
    table: ProtectedTable, reading: PolicyReading, settings: Mapping[str, Claim]
) -> tuple[tuple[str, Claim], ...]:
    """The table's own columns that are compared with a setting, each with that setting."""
    pairs = {
        item.column: settings[item.expression]
        for item in reading.comparisons
        if (item.schema, item.table) == (table.schema, table.name)
        and item.expression in settings
        and not item.atom
    }
    return tuple(sorted(pairs.items(), key=str))


def _read_values(
    connection: Connection, tables: Sequence[ProtectedTable], compared: Sequence[ContextComparison]
) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
    """Some distinct values of every column that is compared, read past the policies."""
    no_force = {(table.schema, table.name): table.no_force for table in tables}
    empty = tables_without_pages(connection)
    every = dict.fromkeys((item.schema, item.table, item.column) for item in compared)
    keys = [key for key in every if key[:2] not in empty]
    results = attempt_together(
        connection,
        [
            Attempt(
                setup=no_force.get((schema, table), ""),
                statement=_distinct_query(schema, table, (column,)).as_string(connection),
            )
            for schema, table, column in keys
        ],
    )
    found = {
        key: tuple(item[0] for item in result.value or ())
        for key, result in zip(keys, results, strict=True)
    }
    return {key: found.get(key, ()) for key in every}


def _read_combinations(
    connection: Connection,
    tables: Sequence[ProtectedTable],
    columns: Mapping[str, tuple[tuple[str, Claim], ...]],
) -> Mapping[str, tuple[Identity, ...]]:
    """Identities as they occur together in the rows of each table that has identity columns."""
    asked = [table for table in tables if columns[table.object]]
    results = attempt_together(
        connection,
        [
            Attempt(
                setup=table.no_force,
                statement=_distinct_query(
                    table.schema, table.name, [column for column, _ in columns[table.object]]
                ).as_string(connection),
            )
            for table in asked
        ],
    )
    found: dict[str, tuple[Identity, ...]] = {table.object: () for table in tables}
    for table, result in zip(asked, results, strict=True):
        settings = [setting for _, setting in columns[table.object]]
        found[table.object] = tuple(
            tuple(dict(zip(settings, item, strict=True)).items()) for item in result.value or ()
        )
    return found


def _distinct_query(schema: str, table: str, columns: Sequence[str]) -> sql.Composed:
    """Distinct values of the columns, as arrays of texts, among the first rows of the table."""
    names = [sql.Identifier(column) for column in columns]
    return sql.SQL(
        "SELECT pg_catalog.jsonb_agg(v.value ORDER BY v.value) FROM ("
        "SELECT DISTINCT ARRAY[{texts}] AS value"
        " FROM (SELECT {columns} FROM {relation} WHERE {known} LIMIT {sample}) AS s"
        " ORDER BY value LIMIT {distinct}) AS v"
    ).format(
        texts=sql.SQL(", ").join(sql.SQL("s.{}::text").format(name) for name in names),
        columns=sql.SQL(", ").join(names),
        relation=sql.Identifier(schema, table),
        known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in names),
        sample=sql.Literal(_SAMPLE),
        distinct=sql.Literal(_DISTINCT),
    )


def _most_popular(
    candidates: Iterable[Identity], popular: Counter[Identity], most: int
) -> tuple[Identity, ...]:
    """At most so many identities for each set of settings; first those that most tables know, so
    that few sessions read them all."""
    ranked = sorted(
        set(candidates), key=lambda item: (-sum(popular[(pair,)] for pair in item), str(item))
    )
    taken: Counter[tuple[Claim, ...]] = Counter()
    chosen = []
    for identity in ranked:
        settings = tuple(setting for setting, _ in identity)
        taken[settings] += 1
        if taken[settings] <= most:
            chosen.append(identity)
    return tuple(chosen)
