"""What an expression names: settings, functions, schemas, columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.never_true import own_column
from pytest_housekeeping.checks.rls.expressions.readable import (
    UnreadableExpression,
    parse_expression,
)
from pytest_housekeeping.checks.rls.expressions.rewrite import parts_of
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parser import children, is_a, walk


def settings_in(texts: Sequence[str], context_only: ContextOnly) -> Iterator[str]:
    """The custom settings that expressions, and the functions that they call, read."""
    for text in texts:
        try:
            parts_of(text, context_only)
        except UnreadableExpression:
            continue
    yield from sorted(context_only.settings)


def functions_in(expression: str) -> tuple[tuple[str, ...], ...]:
    """The names of the functions that an expression calls. Raises UnreadableExpression."""
    return tuple(
        names_of(item.funcname)
        for item in walk(parse_expression(expression))
        if is_a(item, "FuncCall")
    )


@lru_cache(maxsize=4096)
def tables_in(expression: str) -> frozenset[tuple[str, str]]:
    """The schemas and names of the relations that an expression reads. Raises
    UnreadableExpression."""
    return frozenset(
        (str(item.schemaname or ""), str(item.relname))
        for item in walk(parse_expression(expression))
        if is_a(item, "RangeVar")
    )


@lru_cache(maxsize=4096)
def own_columns_in(expression: str) -> frozenset[str]:
    """The columns that an expression names without their table. Raises UnreadableExpression."""
    found = (own_column(item) for item in walk(parse_expression(expression)))
    return frozenset(name for name in found if name is not None)


@lru_cache(maxsize=4096)
def schemas_in(expression: str) -> frozenset[str]:
    """The schemas that an expression names, but for pg_catalog. Raises UnreadableExpression."""
    found: set[str] = set()
    stack: list[Any] = [parse_expression(expression)]
    while stack:
        item = stack.pop()
        if is_a(item, "RangeVar") and item.schemaname:
            found.add(str(item.schemaname))
        elif is_a(item, "FuncCall", "TypeName"):
            names = names_of(item.funcname if is_a(item, "FuncCall") else item.names)
            if len(names) > 1:
                found.add(names[0])
        elif is_a(item, "A_Expr") and item.name and len(item.name) > 1:
            found.add(names_of(item.name)[0])
        stack.extend(children(item))
    return frozenset(found - {"pg_catalog"})


def may_name(expression: str, name: str) -> bool:
    """Whether the name stands in the expression, be it as a part of another word."""
    return in_quotes(name)[1:-1] in expression
