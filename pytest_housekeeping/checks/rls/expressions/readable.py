"""Expressions as PostgreSQL prints them, parsed; only those that are printed as they were read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import ParseError, Unprintable, parse


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
    statement: Any = parse(f"SELECT WHERE {text}")[0].stmt
    return statement.whereClause


@contextmanager
def only_readable() -> Iterator[None]:
    """A tree that cannot be printed as it would be read ends in UnreadableExpression."""
    try:
        yield
    except Unprintable as error:
        raise UnreadableExpression(str(error)) from None


@lru_cache(maxsize=4096)
def _unreadable(expression: str) -> str:
    """Why an expression cannot be relied on: what is printed must read as what was parsed."""
    try:
        printed(parse_condition(expression))  # which reads again what it prints
    except (ParseError, Unprintable) as error:
        return str(error)
    return ""
