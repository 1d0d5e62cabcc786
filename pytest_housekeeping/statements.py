"""What the statements of a file mean for the transaction, from PostgreSQL's own parse tree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.sql import parser

Node = Mapping[str, Any]

_LOCK_FREE = {"TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO"}
_TOUCH_SESSION = {
    "VariableSetStmt",
    "DoStmt",
    "CallStmt",
    "SelectStmt",
    "DiscardStmt",
    "ExecuteStmt",
    "PrepareStmt",
    "DeallocateStmt",
    "LoadStmt",
}
_OWN_TRANSACTION = {
    "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "DropTableSpaceStmt": "DROP TABLESPACE",
    "AlterSystemStmt": "ALTER SYSTEM",
    "CreateSubscriptionStmt": "CREATE SUBSCRIPTION",
    "DropSubscriptionStmt": "DROP SUBSCRIPTION",
}
# Locks that one statement leaves in the lock table: the relation, its TOAST table and that
# table's index, an index for each key, a sequence for each identity column.
_LOCKS = {"CreateStmt": 5, "IndexStmt": 2, "ViewStmt": 2, "CreateSeqStmt": 2, "CreateTrigStmt": 2}
MOST_LOCKS = max(_LOCKS.values())


class SyntaxRefused(Exception):
    """The parser's message, and the offset in characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement: where its text starts (characters from 0), its node's name and body.

    ``sets`` tells whether set_config stands anywhere in it.
    """

    offset: int
    name: str
    body: Node
    sets: bool = False


@dataclass(kw_only=True, slots=True)
class Facts:
    """What the statements of one file have in common with the session around them."""

    touches_session: bool = False
    locks: int = 0
    enums_made: list[str] = field(default_factory=list)
    values_added: list[tuple[str, str]] = field(default_factory=list)
    alone: list[tuple[Statement, str]] = field(default_factory=list)
    control: list[tuple[Statement, str]] = field(default_factory=list)
    client_copy: list[Statement] = field(default_factory=list)


def parse(text: str) -> list[Statement]:
    """The statements of a text, in order. Raises SyntaxRefused."""
    try:
        printed = parser.parse_json(text)
        tree = parser.read_json(printed)
    except parser.ParseError as error:
        raise SyntaxRefused(error.message, error.location or 0) from None
    raw = text.encode()
    sets = "set_config" in printed
    found = []
    done = offset = 0
    for entry in tree:
        # The parser counts bytes, and starts where the statement before it ended.
        location = entry.get("stmt_location", 0)
        offset += len(raw[done:location].decode())
        done = location
        name, body = next(iter(entry["stmt"].items()))
        found.append(
            Statement(
                offset=_past_comments(text, offset),
                name=name,
                body=body,
                sets=sets and "set_config" in repr(body),
            )
        )
    return found


def examine(statements: list[Statement]) -> Facts:
    """Gather what decides how the file has to run."""
    facts = Facts()
    for statement in statements:
        _examine(statement, facts)
    return facts


def same_meaning(one: str, other: str) -> bool:
    """Whether two texts differ in white space and comments at most."""
    try:
        left, right = parse(one), parse(other)
    except SyntaxRefused:
        return False
    return [(each.name, placeless(each.body)) for each in left] == [
        (each.name, placeless(each.body)) for each in right
    ]


def without_concurrently(text: str) -> str:
    """The one statement of a ``transaction=none`` file in the form that a transaction can hold.

    The index is the same; what only maintains (VACUUM, REINDEX) becomes nothing.
    """
    (statement,) = parser.parse(text)
    node = statement.stmt
    if node.tag in ("VacuumStmt", "ReindexStmt"):
        return ""
    if getattr(node, "concurrent", False):
        node = parser.changed(node, concurrent=False)
    return printed(node)


def printed(node: parser.Node) -> str:
    """A node of a parse tree as SQL."""
    return parser.deparse(node)


def quoted(name: str) -> str:
    """A name as one would type it: in quotes where it needs them."""
    return parser.quote_identifier(name)


def placeless(node: Any) -> Any:
    """A parse tree without where things stood in the text."""
    if isinstance(node, dict):
        return {k: placeless(v) for k, v in node.items() if not k.endswith("location")}
    return [placeless(each) for each in node] if isinstance(node, list) else node


def constants(statements: list[Statement]) -> str:
    """The statements as JSON text, in which string constants and bodies can be looked for."""
    return json.dumps([statement.body for statement in statements], ensure_ascii=False)


def _examine(statement: Statement, facts: Facts) -> None:
    name, body = statement.name, statement.body
    facts.locks += _LOCKS.get(name, 0)
    if name in _TOUCH_SESSION or statement.sets or _makes_temporary(body):
        facts.touches_session = True
    if name == "TransactionStmt" and body.get("kind") not in _LOCK_FREE:
        facts.control.append((statement, _command(body)))
    elif name == "AlterEnumStmt" and "newVal" in body and "oldVal" not in body:
        facts.values_added.append((_type_name(body), body["newVal"]))
    elif name == "CreateEnumStmt":
        facts.enums_made.append(_type_name(body))
    elif name == "CopyStmt" and "filename" not in body and "is_program" not in body:
        facts.client_copy.append(statement)
    elif (what := _alone(name, body)) is not None:
        facts.alone.append((statement, what))


def _command(body: Node) -> str:
    kind = str(body.get("kind", "TRANS_STMT_BEGIN")).removeprefix("TRANS_STMT_")
    return {"START": "START TRANSACTION", "PREPARE": "PREPARE TRANSACTION"}.get(
        kind, kind.replace("_", " ")
    )


def _alone(name: str, body: Node) -> str | None:
    """The command, when PostgreSQL refuses it inside a transaction block."""
    if name in _OWN_TRANSACTION:
        return _OWN_TRANSACTION[name]
    if name == "IndexStmt" and body.get("concurrent"):
        return "CREATE INDEX CONCURRENTLY"
    if name == "DropStmt" and body.get("concurrent"):
        return "DROP INDEX CONCURRENTLY"
    if name == "VacuumStmt" and body.get("is_vacuumcmd"):
        return "VACUUM"
    if name == "ReindexStmt" and '"concurrently"' in json.dumps(body.get("params", [])):
        return "REINDEX CONCURRENTLY"
    if name == "AlterTableStmt" and _detaches_concurrently(body):
        return "ALTER TABLE ... DETACH PARTITION CONCURRENTLY"
    return None


def _detaches_concurrently(body: Node) -> bool:
    commands = (entry.get("AlterTableCmd", {}) for entry in body.get("cmds", []))
    return any(
        command.get("subtype") == "AT_DetachPartition"
        and command.get("def", {}).get("PartitionCmd", {}).get("concurrent")
        for command in commands
    )


def _makes_temporary(body: Node) -> bool:
    relation = body.get("relation") or body.get("into", {}).get("rel") or body.get("view") or {}
    return bool(relation.get("relpersistence") == "t")


def _type_name(body: Node) -> str:
    return ".".join(part["String"]["sval"] for part in body["typeName"])


def _past_comments(text: str, offset: int) -> int:
    """Past white space and comments; block comments nest in PostgreSQL."""
    end = len(text)
    while offset < end:
        if text[offset].isspace():
            offset += 1
        elif text.startswith("--", offset):
            line_end = text.find("\n", offset)
            offset = end if line_end < 0 else line_end
        elif text.startswith("/*", offset):
            offset = _past_block(text, offset)
        else:
            break
    return offset


def _past_block(text: str, offset: int) -> int:
    depth, offset = 1, offset + 2
    while depth and offset < len(text):
        if text.startswith("/*", offset):
            depth, offset = depth + 1, offset + 2
        elif text.startswith("*/", offset):
            depth, offset = depth - 1, offset + 2
        else:
            offset += 1
    return offset
