"""The queries in the bodies of the project's own functions, read with PostgreSQL's parser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from pytest_housekeeping.sql.parser import Node, ParseError, is_a, parse, parse_plpgsql


class BodyUnread(Exception):
    """A body that cannot be read, or that runs more than queries known beforehand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectFunction:
    """A function of the project. ``source`` is the body as it was written, empty where it is
    stored parsed; ``definition`` is the statement that creates the function."""

    schema: str
    name: str
    language: str
    source: str
    definition: str


def queries_of(function: ProjectFunction) -> tuple[Any, ...]:
    """The syntax trees of all queries that a function may run.

    Raises BodyUnread for another language than SQL and PL/pgSQL, for a text that does not parse,
    for a statement that is no query, and for EXECUTE.
    """
    found = _queries(function)
    if found is None:
        raise BodyUnread
    return found


@lru_cache(maxsize=4096)
def created(function: ProjectFunction) -> Node | None:
    """The tree of the statement that creates it; None where the parser does not know its form."""
    try:
        (statement,) = parse(function.definition)
    except ParseError:
        return None
    return cast("Node", statement.stmt)


@lru_cache(maxsize=4096)
def _queries(function: ProjectFunction) -> tuple[Any, ...] | None:
    """Each body is read once, however many policies call it."""
    try:
        if function.language == "plpgsql":
            return tuple(_plpgsql_queries(function))
        if function.language == "sql":
            return tuple(
                _select_of(each.stmt) for each in parse(function.source or function.definition)
            )
    except (BodyUnread, ParseError):
        pass
    return None


def _select_of(statement: Any) -> Any:
    """The SELECT of an SQL function, or the RETURN or BEGIN ATOMIC that its definition shows."""
    if is_a(statement, "SelectStmt", "ReturnStmt"):
        return statement
    if is_a(statement, "CreateFunctionStmt") and statement.sql_body is not None:
        return statement.sql_body
    raise BodyUnread


def _plpgsql_queries(function: ProjectFunction) -> Iterator[Any]:
    """Every query and expression in a PL/pgSQL body; an assignment is read for its right side."""
    tree = parse_plpgsql(function.definition)
    text = json.dumps(tree)
    if "PLpgSQL_stmt_dyn" in text or '"dynquery"' in text:
        raise BodyUnread  # EXECUTE of a built string
    for query in _query_texts(tree):
        # The parser gives the text of a statement, an expression or an assignment alike.
        for attempt in (query, f"SELECT {query}", f"SELECT {query.partition(':=')[2]}"):
            try:
                yield from _selects_in(attempt)
                break
            except ParseError:
                continue
        else:
            raise BodyUnread


def _selects_in(text: str) -> list[Any]:

    statements = [each.stmt for each in parse(text)]
    if not statements or not all(is_a(each, "SelectStmt") for each in statements):
        raise BodyUnread
    return statements


def _query_texts(tree: Any) -> Iterator[str]:
    stack: list[Any] = [tree]
    take: Callable[[], Any] = stack.pop
    while stack:
        item = take()
        if isinstance(item, Mapping):
            expression = item.get("PLpgSQL_expr")
            if isinstance(expression, Mapping):
                yield str(expression["query"])
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
