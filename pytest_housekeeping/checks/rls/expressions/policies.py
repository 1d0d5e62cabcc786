"""What a table's policies compare with the context, read with PostgreSQL's own parser."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.comparisons import Found, Scope, comparisons_in
from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.expressions.policy_reading import (
    ColumnConstant,
    ColumnLink,
    ContextComparison,
    ContextConstant,
    PolicyReading,
    Relation,
)
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.sql.parser import ParseError, parse

_NAMELESS: Relation = ("", "")
Told = TypeVar("Told", ContextComparison, ColumnConstant)


def read_policies(table: ProtectedTable, functions: Functions) -> PolicyReading:
    """Parse the expressions of a table's policies, and the functions that they call; the same ones
    are parsed once."""
    return _read(table.schema, table.name, table.expressions, functions)


@lru_cache(maxsize=10_000)
def _read(
    schema: str, name: str, expressions: tuple[str, ...], functions: Functions
) -> PolicyReading:
    """What many tables say alike is read of a table without a name, and then told of each."""
    if any(may_name(expression, name) for expression in expressions):
        return _read_of((schema, name), expressions, functions)
    read = _read_of(_NAMELESS, expressions, functions)
    if read.links:
        return _read_of((schema, name), expressions, functions)
    return replace(
        read,
        comparisons=tuple(_told_of(each, schema, name) for each in read.comparisons),
        column_constants=tuple(_told_of(each, schema, name) for each in read.column_constants),
    )


def _told_of(found: Told, schema: str, name: str) -> Told:
    nameless = (found.schema, found.table) == _NAMELESS
    return replace(found, schema=schema, table=name) if nameless else found


@lru_cache(maxsize=10_000)
def _read_of(table: Relation, expressions: tuple[str, ...], functions: Functions) -> PolicyReading:
    found: dict[Found, None] = {}
    unread = []
    for expression in expressions:
        try:
            statement = parse(f"SELECT WHERE {expression}")[0].stmt
        except ParseError:
            unread.append(expression)
            continue
        condition = getattr(statement, "whereClause", None)
        scope = Scope(bare=table, names={table[1]: table}, functions=functions)
        found.update(dict.fromkeys(comparisons_in(condition, scope)))
    pairs = [each for each in found if isinstance(each, tuple)]
    relations = [(schema, name) for schema, name in pairs if isinstance(schema, str)]
    return PolicyReading(
        comparisons=tuple(each for each in found if isinstance(each, ContextComparison)),
        columns=tuple(
            column
            for relation, column in pairs
            if isinstance(relation, tuple) and relation == table
        ),
        links=tuple(each for each in found if isinstance(each, ColumnLink)),
        constants=tuple(each for each in found if isinstance(each, ContextConstant)),
        column_constants=tuple(each for each in found if isinstance(each, ColumnConstant)),
        relations=tuple(relations),
        looked_into=tuple(
            (relation, column) for relation, column in pairs if relation in relations
        ),
        unread=tuple(unread),
    )
