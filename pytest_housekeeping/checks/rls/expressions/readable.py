"""Expressions as PostgreSQL prints them, parsed; only those that are printed as they were read."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pytest_housekeeping.sql.parse import printed


class UnreadableExpression(Exception):
    """An expression that does not parse, or whose tree is not printed as what was parsed."""


def parse_expression(expression: str) -> Any:
    """The syntax tree of an expression, to be changed and printed. Raises UnreadableExpression."""
    reason = _unreadable(expression)
    if reason:
        raise UnreadableExpression(reason)
    return parse_condition(expression)


def parse_condition(text: str) -> Any:
    """The syntax tree of a condition, as it stands in WHERE; raises the parser's own error."""
    from pglast import parse_sql

    statement: Any = parse_sql(f"SELECT WHERE {text}")[0].stmt
    return statement.whereClause


@lru_cache(maxsize=4096)
def _unreadable(expression: str) -> str:
    """Why an expression cannot be relied on: what is printed must read as what was parsed."""
    from pglast.parser import ParseError

    try:
        node = parse_condition(expression)
        return "" if parse_condition(printed(node)) == node else expression
    except (ParseError, NotImplementedError) as error:
        return str(error)
