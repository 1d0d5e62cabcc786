"""What an expression names: settings, functions and schemas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.readable import (
    UnreadableExpression,
    parse_expression,
)
from pytest_housekeeping.checks.rls.expressions.rewrite import parts_of
from pytest_housekeeping.checks.rls.expressions.syntax_tree import below, children, names_of


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
    from pglast import ast

    return tuple(
        names_of(item.funcname)
        for item in below(parse_expression(expression))
        if isinstance(item, ast.FuncCall)
    )


@lru_cache(maxsize=4096)
def schemas_in(expression: str) -> frozenset[str]:
    """The schemas that an expression names, but for pg_catalog. Raises UnreadableExpression."""
    from pglast import ast

    found: set[str] = set()
    stack: list[Any] = [parse_expression(expression)]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.RangeVar) and item.schemaname:
            found.add(str(item.schemaname))
        elif isinstance(item, ast.FuncCall | ast.TypeName):
            names = names_of(item.funcname if isinstance(item, ast.FuncCall) else item.names)
            if len(names) > 1:
                found.add(names[0])
        elif isinstance(item, ast.A_Expr) and item.name and len(item.name) > 1:
            found.add(names_of(item.name)[0])
        stack.extend(children(item))
    return frozenset(found - {"pg_catalog"})
