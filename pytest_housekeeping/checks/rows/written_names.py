"""What the text of a file, or of a body, writes to and calls, by PostgreSQL's own parse tree."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.checks.code.sqltext.bodies import body_texts
from pytest_housekeeping.sql.parse import SyntaxRefused, nodes_of, parse

_WRITING = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "RefreshMatViewStmt"}
# What only makes something that may run later; expressions of ALTER TABLE are computed of rows.
_RUNS_LATER = re.compile(r"(Create(?!TableAs)\w*|Rule|View|AlterFunction|AlterPolicy|Index)Stmt")
_WRITES_NO_ROWS = re.compile(
    r"\s*(alter|comment|create|drop|grant|lock|reindex|revoke|set)\b(?!.*(;|\bas\b))",
    re.IGNORECASE | re.DOTALL,
)
# How PostgreSQL prints the body of a function that was not written as a string.
_ATOMIC = re.compile(r"\s*BEGIN ATOMIC\b(.*)\bEND\s*", re.DOTALL)
_RETURN = re.compile(r"\s*RETURN\b")


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table that is written to; ``schema`` is "" where none is written. ``constant``: it gets
    rows that stand in the text and nothing else. ``emptied``: with all that refer to it."""

    schema: str
    name: str
    constant: bool = False
    emptied: bool = False


@dataclass(kw_only=True, slots=True)
class WrittenNames:
    """``dynamic``: a statement is put together at run time, or nobody can read the text."""

    tables: list[WrittenTable] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    dynamic: bool = False


def written_in(text: str) -> WrittenNames:
    """What the statements of a text do to rows, those of its DO blocks too."""
    found = WrittenNames()
    _read(text, found)
    return found


def written_in_body(source: str, language: str) -> WrittenNames:
    """What the body of a function does."""
    found = WrittenNames()
    if language == "sql" and (atomic := _ATOMIC.fullmatch(source)):
        source = atomic[1]
    elif language == "sql":
        source = _RETURN.sub("SELECT", source, count=1)
    _read_body(source, language, found)
    return found


def _read(text: str, found: WrittenNames) -> None:
    try:
        statements = parse(text) if text.strip() else []
    except SyntaxRefused:
        found.dynamic = True
        return
    for statement in statements:
        if _RUNS_LATER.fullmatch(statement.name):
            continue
        _read_node(statement.name, statement.body, found)
        for key, node in nodes_of(statement.body):
            _read_node(key, node, found)


def _read_body(source: str, language: str, found: WrittenNames) -> None:
    if language == "internal":
        return
    read = body_texts(source, language)
    if read is None:
        found.dynamic = True
        return
    for text in read.statements:
        _read(text, found)
    found.dynamic |= any(not _writes_no_rows(text) for text in read.dynamic)


def _writes_no_rows(expression: str) -> bool:
    """Whether what an expression puts together is DDL, by the text that it begins with."""
    try:
        (statement,) = parse(f"SELECT {expression}")
    except (SyntaxRefused, ValueError):
        return False
    constants = [
        node["sval"].get("sval", "")
        for key, node in nodes_of(statement.body)
        if key == "A_Const" and isinstance(node.get("sval"), dict)
    ]
    return bool(constants) and bool(_WRITES_NO_ROWS.match(" ".join(constants)))


def _read_node(key: str, node: Any, found: WrittenNames) -> None:
    if not isinstance(node, dict):
        return
    if key in _WRITING or (key == "CopyStmt" and node.get("is_from")):
        constant = key == "InsertStmt" and _is_constant(node)
        _wrote(node.get("relation"), found, constant=constant)
    elif key == "TruncateStmt":
        for relation in node.get("relations", ()):
            emptied = node.get("behavior") == "DROP_CASCADE"
            _wrote(relation.get("RangeVar"), found, emptied=emptied)
    elif key in ("CreateTableAsStmt", "SelectStmt"):
        _wrote((node.get("into") or node.get("intoClause") or {}).get("rel"), found)
    elif key in ("FuncCall", "funccall"):
        found.calls.add(node["funcname"][-1]["String"]["sval"])
    elif key == "DoStmt":
        options = {each["DefElem"]["defname"]: each["DefElem"]["arg"] for each in node["args"]}
        language = options.get("language", {}).get("String", {}).get("sval", "plpgsql")
        _read_body(options["as"]["String"].get("sval", ""), language, found)


def _wrote(
    relation: Any, found: WrittenNames, *, constant: bool = False, emptied: bool = False
) -> None:
    if relation:
        schema, name = relation.get("schemaname", ""), relation["relname"]
        found.tables.append(WrittenTable(schema, name, constant, emptied))


def _is_constant(insert: Any) -> bool:
    """Whether its rows stand in the statement: the same on any database."""
    if "onConflictClause" in insert or "withClause" in insert:
        return False
    select = insert.get("selectStmt", {}).get("SelectStmt", {})
    return "valuesLists" in select and not any(
        key in ("FuncCall", "SubLink") for key, _ in nodes_of(select)
    )
