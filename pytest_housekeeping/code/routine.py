"""What the body of a function or of a DO block names, as far as it is written out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pytest_housekeeping.code.facts import Kind
from pytest_housekeeping.statements import SyntaxRefused, parse

Names = list[tuple[tuple[str, ...], Kind]]
_DYNAMIC = {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"}
_PARSE_MODES = {0: "{}", 2: "SELECT {}"}


def read_body(source: str, language: str) -> tuple[Names, bool]:
    """The names, and whether there is something in it that is known at run time only."""
    if language.lower() == "sql":
        return _read_sql(source)
    if language.lower() != "plpgsql":
        return [], bool(source)
    from pglast import parser

    tag = "$hk_body$"
    try:
        tree = json.loads(
            parser.parse_plpgsql_json(
                f"CREATE FUNCTION f() RETURNS SETOF record LANGUAGE plpgsql AS {tag}{source}{tag}"
            )
        )
    except (parser.ParseError, ValueError):
        return [], True
    names: Names = []
    dynamic = False
    for key, value in _nodes(tree):
        if key == "PLpgSQL_expr":
            found, loose = _read_sql(
                _PARSE_MODES.get(value.get("parseMode", 0), "").format(value.get("query", ""))
            )
            names += found
            del loose  # an assignment is no statement, and names no table but in a subquery
        dynamic |= key in _DYNAMIC
    return names, dynamic


def _read_sql(text: str) -> tuple[Names, bool]:
    from pytest_housekeeping.code.statement import named

    try:
        statements = parse(text) if text else []
    except SyntaxRefused:
        return [], True
    names: Names = []
    dynamic = False
    for statement in statements:
        found = named(statement.name, statement.body, text)
        names += [(spelt.parts, spelt.kind) for spelt in found.names]
        dynamic |= found.dynamic
    return names, dynamic


def _nodes(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from _nodes(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from _nodes(value)
