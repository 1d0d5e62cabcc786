"""A body in PL/pgSQL, taken apart: what it runs, and what each of its variables is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.sql.parse import nodes_of
from pytest_housekeeping.sql.parser import Node, ParseError, changed, is_a, parse
from pytest_housekeeping.sql.plpgsql_tree import plpgsql_tree

_DYNAMIC = ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "dynquery")
_ASSIGNS = re.compile(r":?=")
_TARGET = re.compile(r'\s*("[^"]+"|\w+)')
_ALIAS = re.compile(r'("[^"]+"|\w+)\s+alias\s+for\s+("[^"]+"|\$?\w+)', re.IGNORECASE)


class FlowUnread(Exception):
    """A body in another language, or one that does not parse."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlpgsqlBody:
    """What it runs, the expressions of what it puts together at run time (``dynamic``), what each
    variable is ``given``, and other names of arguments."""

    trees: tuple[Node, ...]
    dynamic: tuple[Node, ...]
    given: Mapping[str, tuple[Node, ...]]
    aliases: Mapping[str, str]


def read_plpgsql(source: str, arguments: Sequence[str]) -> PlpgsqlBody:
    """Take a body apart. Raises FlowUnread."""
    trees: list[Node] = []
    dynamic: list[Node] = []
    given: dict[str, list[Node]] = {}
    try:
        tree = plpgsql_tree(source, arguments)
    except ParseError:
        raise FlowUnread from None
    for key, value in nodes_of(tree):
        if key == "PLpgSQL_expr":
            trees += _parsed(value["query"])
        elif key in _DYNAMIC:
            text = value if key == "dynquery" else value["query"]
            dynamic += _parsed(text["PLpgSQL_expr"]["query"])
        for name, expression in _gifts(key, value):
            given.setdefault(name, []).append(expression)
    return PlpgsqlBody(
        trees=tuple(trees),
        dynamic=tuple(dynamic),
        given={name: tuple(each) for name, each in given.items()},
        aliases={one.strip('"').lower(): other.strip('"') for one, other in _ALIAS.findall(source)},
    )


def _gifts(key: str, value: Any) -> Iterator[tuple[str, Node]]:
    """The variables that a statement or declaration gives a value, each with the value."""
    if key == "PLpgSQL_var" and "default_val" in value:
        for expression in _parsed(value["default_val"]["PLpgSQL_expr"]["query"]):
            yield value["refname"], expression
    elif key == "PLpgSQL_stmt_assign":
        text = value["expr"]["PLpgSQL_expr"]["query"]
        if name := _TARGET.match(text):
            for expression in _parsed(text):
                yield name[1].strip('"'), expression
    elif key in ("PLpgSQL_stmt_execsql", "PLpgSQL_stmt_fors"):
        target = value.get("target") or value.get("var") or {}
        statement = value.get("sqlstmt") or value.get("query")
        for expression in _parsed(statement["PLpgSQL_expr"]["query"]):
            yield from _into(target, expression)


def _into(target: Any, statement: Node) -> Iterator[tuple[str, Node]]:
    if "PLpgSQL_rec" in target:
        yield target["PLpgSQL_rec"]["refname"], statement
    names = [each["name"] for each in target.get("PLpgSQL_row", {}).get("fields", ())]
    columns = statement.targetList if is_a(statement, "SelectStmt") else ()
    for number, name in enumerate(names):
        # Column by column, where they are written out one for each variable.
        one = len(columns) == len(names) and "*" not in _last_parts(columns)
        yield name, changed(statement, targetList=(columns[number],)) if one else statement


def _last_parts(columns: Any) -> list[str]:
    return [
        "*"
        for column in columns
        if is_a(column.val, "ColumnRef") and is_a(column.val.fields[-1], "A_Star")
    ]


def _parsed(text: str) -> tuple[Node, ...]:
    """A statement, an expression, or what is computed for an assignment."""
    for attempt in (text, f"SELECT {text}", f"SELECT {_ASSIGNS.split(text, maxsplit=1)[-1]}"):
        try:
            return tuple(each.stmt for each in parse(attempt))
        except ParseError:
            continue
    raise FlowUnread
