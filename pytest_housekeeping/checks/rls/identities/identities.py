"""Find identities: which settings carry them, and which values the rows belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.policies import Comparison, Reading, read_policies
from pytest_housekeeping.checks.rls.tables import Subject
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.postgres.connection import Connection

Identity: TypeAlias = tuple[tuple[str, str], ...]

_SAMPLE = 10_000
_DISTINCT = 8
_OWN = 3
_ELSEWHERE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Identities:
    """Whom to act for on one table.

    ``own`` pairs the table's identity columns with their settings; without any, the candidates
    come from the other tables and the rows decide. ``bearing`` are all columns of the table
    that its policies look at.
    """

    own: tuple[tuple[str, str], ...]
    bearing: tuple[str, ...]
    unread: tuple[str, ...]
    candidates: tuple[Identity, ...]


def find_identities(
    connection: Connection, context: Sequence[str], subjects: Sequence[Subject]
) -> Mapping[str, Identities]:
    """For each table, by its name, the identities to act for, the likeliest first."""
    readings = {subject.object: read_policies(subject) for subject in subjects}
    compared = sorted(
        {item for reading in readings.values() for item in reading.comparisons},
        key=lambda item: (item.schema, item.table, item.column, item.source),
    )
    values = _read_values(connection, subjects, compared)
    settings = attribute(connection, context, subjects, compared, values)
    popular: Counter[Identity] = Counter(
        ((settings[item.source], value),)
        for item in compared
        if item.source in settings
        for value in values[item.schema, item.table, item.column]
    )
    own = {
        subject.object: own_columns(subject, readings[subject.object], settings)
        for subject in subjects
    }
    combined = _read_combinations(connection, subjects, own)
    return {
        subject.object: Identities(
            own=own[subject.object],
            bearing=readings[subject.object].columns,
            unread=readings[subject.object].unread,
            candidates=_rank(combined[subject.object], popular, _OWN)
            if own[subject.object]
            else _rank(popular, popular, _ELSEWHERE),
        )
        for subject in subjects
    }


def describe(identity: Identity) -> str:
    """``app.tenant_id = 42`` as a person reads it."""
    return ", ".join(f"{setting} = {value}" for setting, value in identity)


def _read_values(
    connection: Connection, subjects: Sequence[Subject], compared: Sequence[Comparison]
) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
    """Some distinct values of every column that is compared, read as the owner."""
    bare = {(subject.schema, subject.name): subject.bare for subject in subjects}
    keys = list(dict.fromkeys((item.schema, item.table, item.column) for item in compared))
    answers = attempt_all(
        connection,
        [
            Attempt(
                setup=bare.get((schema, table), ""),
                statement=_distinct(sql.Identifier(schema, table), (column,)).as_string(connection),
            )
            for schema, table, column in keys
        ],
    )
    return {
        key: tuple(item[0] for item in answer.value or ())
        for key, answer in zip(keys, answers, strict=True)
    }


def _distinct(relation: sql.Composable, columns: Sequence[str]) -> sql.Composed:
    names = [sql.Identifier(column) for column in columns]
    return sql.SQL(
        "SELECT pg_catalog.jsonb_agg(v.value ORDER BY v.value) FROM ("
        "SELECT DISTINCT ARRAY[{texts}] AS value"
        " FROM (SELECT {columns} FROM {relation} WHERE {known} LIMIT {sample}) AS s"
        " ORDER BY value LIMIT {distinct}) AS v"
    ).format(
        texts=sql.SQL(", ").join(sql.SQL("s.{}::text").format(name) for name in names),
        columns=sql.SQL(", ").join(names),
        relation=relation,
        known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in names),
        sample=sql.Literal(_SAMPLE),
        distinct=sql.Literal(_DISTINCT),
    )


def attribute(
    connection: Connection,
    context: Sequence[str],
    subjects: Sequence[Subject],
    compared: Sequence[Comparison],
    values: Mapping[tuple[str, str, str], tuple[str, ...]],
) -> Mapping[str, str]:
    """Which setting drives each compared expression: the one that it repeats when it is set."""
    roles = sorted({rights.role for subject in subjects for rights in subject.rights})
    samples = {
        item.source: values[item.schema, item.table, item.column][0]
        for item in reversed(compared)
        if values[item.schema, item.table, item.column]
    }
    trials = [
        (source, setting, role) for source in samples for setting in context for role in roles
    ]
    answers = attempt_all(
        connection,
        [
            Attempt(
                role=role,
                settings=tuple(
                    (name, samples[source] if name == setting else "") for name in context
                ),
                statement=f"SELECT ({source})::text",
            )
            for source, setting, role in trials
        ],
    )
    found: dict[str, str] = {}
    for (source, setting, _), answer in zip(trials, answers, strict=True):
        if answer.value is not None and samples[source] in str(answer.value):
            found.setdefault(source, setting)
    return found


def own_columns(
    subject: Subject, reading: Reading, settings: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    pairs = {
        item.column: settings[item.source]
        for item in reading.comparisons
        if (item.schema, item.table) == (subject.schema, subject.name) and item.source in settings
    }
    return tuple(sorted(pairs.items()))


def _read_combinations(
    connection: Connection,
    subjects: Sequence[Subject],
    own: Mapping[str, tuple[tuple[str, str], ...]],
) -> Mapping[str, tuple[Identity, ...]]:
    """Identities as they occur together in the rows of a table."""
    asked = [subject for subject in subjects if own[subject.object]]
    answers = attempt_all(
        connection,
        [
            Attempt(
                setup=subject.bare,
                statement=_distinct(
                    sql.Identifier(subject.schema, subject.name),
                    [column for column, _ in own[subject.object]],
                ).as_string(connection),
            )
            for subject in asked
        ],
    )
    found: dict[str, tuple[Identity, ...]] = {subject.object: () for subject in subjects}
    for subject, answer in zip(asked, answers, strict=True):
        settings = [setting for _, setting in own[subject.object]]
        found[subject.object] = tuple(
            tuple(dict(zip(settings, item, strict=True)).items()) for item in answer.value or ()
        )
    return found


def _rank(
    candidates: Iterable[Identity], popular: Counter[Identity], most: int
) -> tuple[Identity, ...]:
    """The identities that most tables know, so that few sessions read them all; a few for each
    set of settings."""
    ranked = sorted(
        set(candidates), key=lambda item: (-sum(popular[(pair,)] for pair in item), item)
    )
    taken: Counter[tuple[str, ...]] = Counter()
    chosen = []
    for identity in ranked:
        settings = tuple(setting for setting, _ in identity)
        taken[settings] += 1
        if taken[settings] <= most:
            chosen.append(identity)
    return tuple(chosen)
