"""Values that satisfy a table's constraints: candidates are made here, PostgreSQL chooses.

No constraint is interpreted here. Those that tie the same columns together go into the WHERE of one
query over all combinations of candidates, so whatever comes back satisfies them: a constraint holds
where it is true or NULL, https://www.postgresql.org/docs/16/ddl-constraints.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.rows.candidate_values import candidates_of
from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape, TableShape
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parser import ParseError, is_a, parse, walk

_MOST_ROWS = 40_000
_SOLUTIONS = 6
_MOST_TRIED = 20_000
# How a CHECK of a domain names the value.
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
    shape: TableShape,
    fixed: Mapping[str, str | None],
    wanted: Collection[str],
    turn: int,
    novel: Collection[str] = (),
) -> dict[str, str | None]:
    """The ``fixed`` values, with values for the wanted columns and for all that a constraint ties
    to them.

    Those of ``novel`` columns and of keys are ones that no row is likely to have. ``turn`` chooses
    among the solutions, so that two rows differ. Raises NoRow.
    """
    keys = {column for key in shape.keys for column in key} | set(novel)
    values: dict[str, str | None] = dict(fixed)
    constrained = []
    for group in _groups(shape, [*wanted, *fixed]):
        if group.conditions:
            constrained.append(group)
            continue
        for name in group.columns:
            if name not in fixed:
                choices = candidates_of(_column(shape, name), (), unique=name in keys)
                values[name] = choices[turn % len(choices)] if choices else None
    attempts = [
        Attempt(statement=_search(shape, group, fixed, keys, wanted)) for group in constrained
    ]
    for group, result in zip(constrained, attempt_all(connection, attempts), strict=True):
        if result.sqlstate:
            raise NoRow(f"constraints of {shape.object} could not be tried: {result}")
        if not result.value:
            raise NoRow(f"no value was found that satisfies {' AND '.join(group.conditions)}")
        solution = result.value[turn % len(result.value)]
        values.update(zip(group.columns, solution, strict=True))
    return values


def columns_in(text: str, shape: TableShape) -> tuple[str, ...]:
    """The columns of the table that an expression names. Raises NoRow where it does not parse."""
    names = {column.name for column in shape.columns}
    try:
        tree = parse(f"SELECT WHERE {text}")
    except ParseError:
        raise NoRow(f"a constraint of {shape.object} is not read: {text}") from None
    found: dict[str, None] = {}
    for item in walk(tree[0].stmt):
        if is_a(item, "ColumnRef"):
            last = getattr((item.fields or (None,))[-1], "sval", None)
            if last in names:
                found[str(last)] = None
    return tuple(found)


def combinations_query(
    relation: str,
    columns: Sequence[ColumnShape],
    choices: Mapping[str, Sequence[str]],
    conditions: Sequence[str],
    *,
    most: int,
) -> str:
    """A query for combinations of values that meet all conditions, the likeliest first.

    It returns them as one JSON array of arrays of texts. Columns and ``relation`` have the names
    that the conditions know them by; ``choices`` are expressions.
    """
    sources = []
    for number, column in enumerate(columns):
        listed = ", ".join(
            f"({place}, {expression})" for place, expression in enumerate(choices[column.name])
        )
        sources.append(f"(VALUES {listed}) AS hk_v{number} (hk_n{number}, {column.quoted})")
    ranks = " + ".join(f"hk_n{number}" for number in range(len(columns)))
    texts = ", ".join(f"s.{column.quoted}::text" for column in columns)
    names = ", ".join(column.quoted for column in columns)
    where = " AND ".join(f"(({text}) IS NOT FALSE)" for text in conditions) or "true"
    return (
        f"SELECT pg_catalog.jsonb_agg(ARRAY[{texts}]) FROM (SELECT {names} FROM"
        f" (SELECT {names}, {ranks} AS hk_rank FROM {' CROSS JOIN '.join(sources)})"
        f" AS {in_quotes(relation)} WHERE {where} ORDER BY hk_rank LIMIT {most}) AS s"
    )


def one_row_query(
    shape: TableShape,
    conditions: Sequence[str],
    choices: Callable[[ColumnShape, Sequence[str]], list[str]],
    most_columns: int,
) -> tuple[list[ColumnShape], str]:
    """The columns that the conditions name, and a query for one row of candidates for them that
    meets the conditions, and the table's own constraints on these columns.

    ``choices`` gives the candidates of a column, from the texts that the row has to meet. Raises
    NoRow where there is no column, or more than ``most_columns``.
    """
    named = {name for text in conditions for name in columns_in(text, shape)}
    checks = [text for text, touched in conditions_of(shape) if set(touched) <= named]
    columns = [column for column in shape.columns if column.name in named]
    if not columns or len(columns) > most_columns:
        raise NoRow("no column, or too many")
    found = {column.name: choices(column, (*conditions, *checks)) for column in columns}
    return columns, combinations_query(
        shape.name, columns, limited(found, _MOST_TRIED), [*checks, *conditions], most=1
    )


def limited(choices: Mapping[str, Sequence[str]], most: int) -> dict[str, list[str]]:
    """The choices, the longest ones cut until there are at most so many combinations."""
    kept = {name: list(each) for name, each in choices.items()}
    while prod(max(len(each), 1) for each in kept.values()) > most:
        max(kept.values(), key=len).pop()
    return kept


def typed(column: ColumnShape, text: str | None) -> str:
    """The value as an expression of the column's type, below any domain."""
    return f"({literal(text)})::{column.base}"


def _groups(shape: TableShape, columns: Iterable[str]) -> list[_Group]:
    """The columns, and all that stand in a constraint, in groups that no constraint connects."""
    conditions = list(conditions_of(shape))
    named = dict.fromkeys(columns)
    for _, touched in conditions:
        named.update(dict.fromkeys(touched))
    # All members of a group share one set, so that a set is a group and its identity tells it.
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


def row_told(columns: Sequence[ColumnShape], values: Sequence[object]) -> str:
    """A row that was found, as ``column = value``."""
    return ", ".join(
        f"{column.quoted} {'IS NULL' if value is None else f'= {value!r}'}"
        for column, value in zip(columns, values, strict=True)
    )


def conditions_of(shape: TableShape) -> Iterator[tuple[str, tuple[str, ...]]]:
    """CHECK constraints of the table and of its domains, with the columns that they name."""
    for text in shape.checks:
        touched = columns_in(text, shape)
        columns = [_column(shape, name) for name in touched]
        # The value of a generated column follows from others, and is not to be chosen.
        if touched and not any(column.generated for column in columns):
            yield text, touched
    for column in shape.columns:
        for text in column.checks:
            quoted = column.quoted.replace("\\", "\\\\")
            yield _VALUE.sub(quoted, text), (column.name,)


def _column(shape: TableShape, name: str) -> ColumnShape:
    column = shape.column(name)
    if column is None:
        raise NoRow(f"{shape.object} has no column {name}")
    return column


def _search(
    shape: TableShape,
    group: _Group,
    fixed: Mapping[str, str | None],
    keys: Collection[str],
    wanted: Collection[str],
) -> str:
    columns = [_column(shape, name) for name in group.columns]
    choices = {
        column.name: _choices(column, group.conditions, fixed, keys, wanted) for column in columns
    }
    return combinations_query(
        shape.name, columns, limited(choices, _MOST_ROWS), group.conditions, most=_SOLUTIONS
    )


def _choices(
    column: ColumnShape,
    conditions: Sequence[str],
    fixed: Mapping[str, str | None],
    keys: Collection[str],
    wanted: Collection[str],
) -> list[str]:
    if column.name in fixed:
        return [typed(column, fixed[column.name])]
    found = []
    # The likeliest first: what the table itself would put in.
    if column.default and column.name not in keys:
        found.append(f"({column.default})::{column.base}")
    if not column.required and column.name not in wanted:
        found.append(typed(column, None))
    texts = candidates_of(column, conditions, unique=column.name in keys)
    return found + [typed(column, text) for text in texts]
