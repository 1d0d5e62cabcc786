"""What the body of a function or of a DO block names, as far as it is written out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_housekeeping.code.facts import Kind
from pytest_housekeeping.sql.parser import ParseError, parse_plpgsql
from pytest_housekeeping.statements import SyntaxRefused, parse

Names = list[tuple[tuple[str, ...], Kind]]
_DYNAMIC = {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"}
_RETURNS = ("void", "text", "SETOF record", "trigger")
_TAG = "$hk_body$"
_PARSE_MODES = {0: "{}", 2: "SELECT {}"}


def read_body(source: str, language: str) -> tuple[Names, bool]:
    """The names, and whether there is something in it that is known at run time only."""
    if language.lower() == "sql":
        return _read_sql(source)
    if language.lower() != "plpgsql":
        return [], bool(source)
    tree = _parse_plpgsql(source)
    if tree is None:
        return [], True
    names: Names = []
    dynamic = False
    for key, value in _nodes(tree):
        if key == "PLpgSQL_expr":
            # What is no statement, such as the target of an assignment, names no table.
            mode = _PARSE_MODES.get(value.get("parseMode", 0), "")
            names += _read_sql(mode.format(value.get("query", "")))[0]
        dynamic |= key in _DYNAMIC
    return names, dynamic


def _parse_plpgsql(source: str) -> Any:
    """Which RETURN is right depends on what the function returns: the first that fits."""
    for returns in _RETURNS:
        text = f"CREATE FUNCTION f() RETURNS {returns} LANGUAGE plpgsql AS {_TAG}{source}{_TAG}"
        try:
            return parse_plpgsql(text)
        except (ParseError, ValueError):
            continue
    return None


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
