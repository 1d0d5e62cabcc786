"""What the body of a function or of a DO block names, as far as it is written out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.names import StatementNames, names_in
from pytest_housekeeping.checks.code.sqltext.recognize import starts_like_sql
from pytest_housekeeping.checks.code.sqltext.written import find_name
from pytest_housekeeping.sql.identifiers import split_name
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, nodes_of, parse
from pytest_housekeeping.sql.parser import ParseError
from pytest_housekeeping.sql.plpgsql_tree import plpgsql_tree

# EXECUTE and FOR ... IN EXECUTE; RETURN QUERY EXECUTE and OPEN ... FOR EXECUTE have it inside.
_DYNAMIC = {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "dynquery"}
# How PL/pgSQL parses an expression: a whole statement, or what stands behind SELECT.
_PARSE_MODES = {0: "{}", 2: "SELECT {}"}
_ASSIGNS = re.compile(r":?=")


# Functions of PostgreSQL and its contrib that run a query which they are handed, and that read what
# one names, by which argument:
# https://www.postgresql.org/docs/16/functions-xml.html#FUNCTIONS-XML-MAPPING
QUERY_RUNNERS = (
    *("query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema"),
    *("ts_stat", "ts_rewrite"),
    *("crosstab", "crosstab2", "crosstab3", "crosstab4", "crosstabn"),
)
# They take other texts as well: a connection, which may lead back to this database, or a schedule.
_RUNNERS_ELSEWHERE = (
    *("dblink", "dblink_exec", "dblink_open", "dblink_send_query"),
    *("postgres_query", "postgres_execute"),
    *("schedule", "schedule_in_database"),
)
# Of DuckDB: a connection, a schema and a table.
_SCANS = ("postgres_scan", "postgres_scan_pushdown")
_TABLE_READERS = {
    **dict.fromkeys(("table_to_xml", "table_to_xmlschema", "table_to_xml_and_xmlschema"), 0),
    "connectby": 0,
    "create_parent": 0,
    "xpath_table": 2,
}
_ALL_READERS = (
    *("schema_to_xml", "schema_to_xml_and_xmlschema"),
    *("database_to_xml", "database_to_xml_and_xmlschema"),
)
READ_BY_TEXT = frozenset((*QUERY_RUNNERS, *_TABLE_READERS, *_ALL_READERS))


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
    texts = body_texts(source, language)
    if texts is None:
        return BodyNames(dynamic=True)
    run = [_written_out(text) for text in texts.dynamic]
    found = [_read_sql(text) for text in (*texts.statements, *(each for each in run if each))]
    return BodyNames(
        names=tuple(name for each in found for name in each.names),
        dynamic=not all(run) or any(each.dynamic for each in found),
    )


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
    if language.lower() != "plpgsql":
        return None
    try:
        tree = plpgsql_tree(source)
    except ParseError:
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
    """All that a statement names, with what stands in the bodies of its routines, and in the texts
    that its functions are handed."""
    found = names_in(statement.name, statement.body, text)
    bodies = [read_body(source, language) for source, language in found.bodies]
    for body in (*bodies, *_handed_in(statement.body)):
        found.names += [find_name(text, parts, kind) for parts, kind in body.names]
        found.dynamic |= body.dynamic
    return found


def _written_out(expression: str) -> str:
    """The statement that EXECUTE is handed, where all of it is written out; else ''."""
    try:
        (select,) = parse(f"SELECT {expression}")
    except (SyntaxRefused, ValueError):
        return ""
    targets = select.body.get("targetList", ())
    return _joined(targets[0]["ResTarget"]["val"]) if len(targets) == 1 else ""


def _joined(node: Any) -> str:
    """The text of literals that are joined by ``||``; '' where one of them is none."""
    joined = node.get("A_Expr", {})
    if joined.get("name", [{}])[-1].get("String", {}).get("sval") != "||":
        return _constant(node)
    parts = [_joined(joined[side]) for side in ("lexpr", "rexpr")]
    return "".join(parts) if all(parts) else ""


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


def _handed_in(tree: Any) -> Iterator[BodyNames]:
    """What is named in the texts that functions are handed to run or to read by."""
    for key, call in nodes_of(tree):
        if key not in ("FuncCall", "funccall"):  # funccall: of CALL
            continue
        function = call["funcname"][-1].get("String", {}).get("sval", "")
        if function not in READ_BY_TEXT and function not in (*_RUNNERS_ELSEWHERE, *_SCANS):
            continue
        arguments = [_constant(each) for each in call.get("args", ())]
        if function in _SCANS:
            _, *parts = arguments
            known = all(parts[:2]) and len(parts) > 1
            names = ((tuple(parts[:2]), ReferenceKind.RELATION),) if known else ()
            yield BodyNames(names=names, dynamic=not known)
            continue
        if function in _TABLE_READERS:
            arguments = arguments[_TABLE_READERS[function] :][:1]
        texts = [text for text in arguments if text]
        if function in _RUNNERS_ELSEWHERE:
            texts = [text for text in texts if starts_like_sql(text)]
        if function in _ALL_READERS or not texts:
            yield BodyNames(dynamic=True)
        elif function in QUERY_RUNNERS or function in _RUNNERS_ELSEWHERE:
            yield from (_read_sql(text) for text in texts if " " in text)
        else:
            yield BodyNames(names=((split_name(texts[0]), ReferenceKind.RELATION),))


def _constant(node: Any) -> str:
    """The text of a literal, also one that is cast."""
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    return str(node.get("A_Const", {}).get("sval", {}).get("sval", ""))
