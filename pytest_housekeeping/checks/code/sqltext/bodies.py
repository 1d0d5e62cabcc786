"""What the body of a function or of a DO block names, as far as it is written out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.names import StatementNames, names_in
from pytest_housekeeping.checks.code.sqltext.written import find_name
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, nodes_of, parse
from pytest_housekeeping.sql.parser import ParseError, parse_plpgsql

# EXECUTE and FOR ... IN EXECUTE; RETURN QUERY EXECUTE and OPEN ... FOR EXECUTE have it inside.
_DYNAMIC = {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "dynquery"}
_RETURNS = ("void", "text", "SETOF record", "trigger")
_TAG = "$hk_body$"
# How PL/pgSQL parses an expression: a whole statement, or what stands behind SELECT.
_PARSE_MODES = {0: "{}", 2: "SELECT {}"}
_ASSIGNS = re.compile(r":?=")


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyNames:
    """The names in a routine's body. ``dynamic``: it names more that is known at run time only."""

    names: tuple[tuple[tuple[str, ...], ReferenceKind], ...] = ()
    dynamic: bool = False


def read_body(source: str, language: str) -> BodyNames:
    """What the text of a body names. In a language that is not read anything may be named."""
    if language.lower() == "sql":
        return _read_sql(source)
    if language.lower() != "plpgsql":
        return BodyNames(dynamic=bool(source))
    tree = _parse_plpgsql(source)
    if tree is None:
        return BodyNames(dynamic=True)
    names: list[tuple[tuple[str, ...], ReferenceKind]] = []
    dynamic = False
    for key, value in nodes_of(tree):
        if key == "PLpgSQL_expr":
            # What is no statement, such as the target of an assignment, names no table.
            mode = _PARSE_MODES.get(value.get("parseMode", 0), "")
            names += _read_sql(mode.format(value.get("query", ""))).names
        dynamic |= key in _DYNAMIC
    return BodyNames(names=tuple(names), dynamic=dynamic)


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyTexts:
    """The statements of a routine's body; ``dynamic`` are the expressions of those that it puts
    together at run time."""

    statements: tuple[str, ...]
    dynamic: tuple[str, ...] = ()


def body_texts(source: str, language: str) -> BodyTexts | None:
    """What a body runs, statement by statement; None where nobody can tell."""
    if language.lower() == "sql":
        return BodyTexts(statements=(source,))
    tree = _parse_plpgsql(source) if language.lower() == "plpgsql" else None
    if tree is None:
        return None
    statements, dynamic = [], []
    for key, value in nodes_of(tree):
        if key == "PLpgSQL_expr":
            text = value.get("query", "")
            mode = _PARSE_MODES.get(value.get("parseMode", 0))
            # Of an assignment what is computed; its target names no table.
            assigned = _ASSIGNS.split(text, maxsplit=1)[-1]
            statements.append(mode.format(text) if mode else f"SELECT {assigned}")
        elif key in _DYNAMIC:
            text = value if key == "dynquery" else value.get("query", {})
            dynamic.append(text.get("PLpgSQL_expr", {}).get("query", ""))
    return BodyTexts(statements=tuple(statements), dynamic=tuple(dynamic))


def statement_names(statement: Statement, text: str) -> StatementNames:
    """All that a statement names, with what stands in the bodies of its routines."""
    found = names_in(statement.name, statement.body, text)
    for source, language in found.bodies:
        body = read_body(source, language)
        found.names += [find_name(text, parts, kind) for parts, kind in body.names]
        found.dynamic |= body.dynamic
    return found


def _parse_plpgsql(source: str) -> Any:
    """The parse tree, or None. A body fits only some return types, which are tried in turn."""
    for returns in _RETURNS:
        text = f"CREATE FUNCTION f() RETURNS {returns} LANGUAGE plpgsql AS {_TAG}{source}{_TAG}"
        try:
            return parse_plpgsql(text)
        except (ParseError, ValueError):
            continue
    return None


def _read_sql(text: str) -> BodyNames:
    try:
        statements = parse(text) if text else []
    except SyntaxRefused:
        return BodyNames(dynamic=True)
    found = [statement_names(statement, text) for statement in statements]
    return BodyNames(
        names=tuple((name.parts, name.kind) for each in found for name in each.names),
        dynamic=any(each.dynamic for each in found),
    )
