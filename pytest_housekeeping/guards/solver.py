"""Values that satisfy a table's constraints: candidates are made here, PostgreSQL chooses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from psycopg import sql

from pytest_housekeeping.database import Connection
from pytest_housekeeping.guards.candidates import candidates_of
from pytest_housekeeping.guards.probe import Attempt, attempt_all
from pytest_housekeeping.guards.shapes import Field, Shape
from pytest_housekeeping.sql.parser import ParseError, parse, walk

_MOST_ROWS = 40_000
_SOLUTIONS = 6
_VALUE = re.compile(r"\bVALUE\b")


class NoRow(Exception):
    """Why no row can be made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Columns that constraints tie together, and these constraints."""

    columns: tuple[str, ...]
    conditions: tuple[str, ...]


def solve(
    connection: Connection,
    shape: Shape,
    fixed: Mapping[str, str | None],
    wanted: Collection[str],
    turn: int,
    novel: Collection[str] = (),
) -> dict[str, str | None]:
    """Values for the wanted columns and for all that a constraint ties to them; those of novel
    columns are ones that no row is likely to have.

    ``turn`` chooses among the solutions, so that two rows differ. Raises NoRow.
    """
    keys = {column for key in shape.keys for column in key} | set(novel)
    groups = [
        group
        for group in _groups(shape, [*wanted, *fixed])
        if set(group.columns) - set(fixed) or group.conditions
    ]
    values: dict[str, str | None] = dict(fixed)
    hard = []
    for group in groups:
        if group.conditions:
            hard.append(group)
            continue
        for name in group.columns:
            if name not in fixed:
                field = _field(shape, name)
                choices = candidates_of(field, (), unique=name in keys)
                values[name] = choices[turn % len(choices)] if choices else None
    attempts = [Attempt(statement=_search(shape, group, fixed, keys, wanted)) for group in hard]
    for group, answer in zip(hard, attempt_all(connection, attempts), strict=True):
        if answer.sqlstate:
            raise NoRow(f"constraints of {shape.object} could not be tried: {answer}")
        if not answer.value:
            raise NoRow(f"no value was found that satisfies {' AND '.join(group.conditions)}")
        solution = answer.value[turn % len(answer.value)]
        values.update(zip(group.columns, solution, strict=True))
    return values


def _field(shape: Shape, name: str) -> Field:
    field = shape.field(name)
    if field is None:
        raise NoRow(f"{shape.object} has no column {name}")
    return field


def _groups(shape: Shape, columns: Iterable[str]) -> list[_Group]:
    """Connected columns, found by joining the ones that stand in one constraint."""
    conditions = list(_conditions(shape))
    named = dict.fromkeys(columns)
    for _, touched in conditions:
        named.update(dict.fromkeys(touched))
    group_of = {name: {name} for name in named}
    for _, touched in conditions:
        merged = set().union(*(group_of[name] for name in touched))
        for name in merged:
            group_of[name] = merged
    unique = {id(group): group for group in group_of.values()}.values()
    return [
        _Group(
            columns=tuple(sorted(group)),
            conditions=tuple(text for text, touched in conditions if set(touched) <= group),
        )
        for group in unique
    ]


def _conditions(shape: Shape) -> Iterator[tuple[str, tuple[str, ...]]]:
    """CHECK constraints of the table and of its domains, with the columns that they name."""
    for text in shape.checks:
        touched = columns_in(text, shape)
        fields = [_field(shape, name) for name in touched]
        if touched and not any(field.generated for field in fields):
            yield text, touched
    for field in shape.fields:
        for text in field.checks:
            quoted = field.quoted.replace("\\", "\\\\")
            yield _VALUE.sub(quoted, text), (field.name,)


def columns_in(text: str, shape: Shape) -> tuple[str, ...]:
    """The columns of the table that an expression names."""
    names = {field.name for field in shape.fields}
    try:
        tree = parse(f"SELECT WHERE {text}")
    except ParseError:
        raise NoRow(f"a constraint of {shape.object} is not read: {text}") from None
    found: dict[str, None] = {}
    for item in walk(tree[0].stmt):
        if item.tag == "ColumnRef":
            last = getattr((item.fields or (None,))[-1], "sval", None)
            if last in names:
                found[str(last)] = None
    return tuple(found)


def _search(
    shape: Shape,
    group: _Group,
    fixed: Mapping[str, str | None],
    keys: Collection[str],
    wanted: Collection[str],
) -> str:
    """One query over all combinations of candidates, the likeliest first."""
    choices = {
        name: _choices(_field(shape, name), group.conditions, fixed, keys, wanted)
        for name in group.columns
    }
    while prod(len(each) for each in choices.values()) > _MOST_ROWS:
        longest = max(choices, key=lambda name: len(choices[name]))
        choices[longest] = choices[longest][:-1]
    fields = [_field(shape, name) for name in group.columns]
    return chosen_rows(shape.name, fields, choices, group.conditions, _SOLUTIONS)


def chosen_rows(
    relation: str,
    fields: Sequence[Field],
    choices: Mapping[str, Sequence[str]],
    conditions: Sequence[str],
    most: int,
) -> str:
    """A query for combinations that meet all conditions, each an array of texts."""
    sources = []
    for number, field in enumerate(fields):
        listed = ", ".join(
            f"({place}, {expression})" for place, expression in enumerate(choices[field.name])
        )
        sources.append(f"(VALUES {listed}) AS hk_v{number} (hk_n{number}, {field.quoted})")
    ranks = " + ".join(f"hk_n{number}" for number in range(len(fields)))
    texts = ", ".join(f"s.{field.quoted}::text" for field in fields)
    names = ", ".join(field.quoted for field in fields)
    where = " AND ".join(f"(({text}) IS NOT FALSE)" for text in conditions) or "true"
    alias = sql.Identifier(relation).as_string()
    return (
        f"SELECT pg_catalog.jsonb_agg(ARRAY[{texts}]) FROM (SELECT {names} FROM"
        f" (SELECT {names}, {ranks} AS hk_rank FROM {' CROSS JOIN '.join(sources)}) AS {alias}"
        f" WHERE {where} ORDER BY hk_rank LIMIT {most}) AS s"
    )


def typed(field: Field, text: str | None) -> str:
    return f"({sql.Literal(text).as_string().strip()})::{field.base}"


def _choices(
    field: Field,
    conditions: Sequence[str],
    fixed: Mapping[str, str | None],
    keys: Collection[str],
    wanted: Collection[str],
) -> list[str]:
    if field.name in fixed:
        return [typed(field, fixed[field.name])]
    found = []
    if field.default and field.name not in keys:
        found.append(f"({field.default})::{field.base}")
    if not field.required and field.name not in wanted:
        found.append(typed(field, None))
    texts = candidates_of(field, conditions, unique=field.name in keys)
    return found + [typed(field, text) for text in texts]
