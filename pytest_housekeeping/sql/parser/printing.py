"""SQL for a parse tree, by libpg_query's own printer, and read again to be sure of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parser import schema, wire
from pytest_housekeeping.sql.parser.errors import ParseError, Unprintable
from pytest_housekeeping.sql.parser.node import Node, changed, fields, mapped, node_of
from pytest_housekeeping.sql.parser.operands import enclosed, flat
from pytest_housekeeping.sql.parser.schema import CONSTANT, CONSTANTS, NODE, Field

_TOO_DEEP = "it is nested too deeply"
_LIST = "List"
_RETURNS = "CREATE FUNCTION f() RETURNS "
_OF_TAG = {tag: name for name, tag in CONSTANTS.items()}


def deparse(node: Node) -> str:
    """A statement, an expression, a type, or a part of a table as SQL.

    It is parsed again: what would be read as another tree is not given. Raises Unprintable.
    """
    statement, before = _PARTS.get(node.tag, _expression)(node)
    try:
        text = _printed(statement)
        if not _reads_as(text, statement):
            text = enclosed(_with_quoted_parameters(statement), _printed)
            if not _reads_as(text, statement):
                raise Unprintable(f"this would be read as something else: {text}")
    except RecursionError:
        raise Unprintable(_TOO_DEEP) from None
    if not text.startswith(before):
        raise Unprintable(f"a {node.tag} was printed as {text}")
    return text[len(before) :]


def _reads_as(text: str, statement: Node) -> bool:
    from pytest_housekeeping.sql.parser import library

    try:
        (again,) = json.loads(library.parsed(text))["stmts"]
    except (ParseError, ValueError):
        return False
    ((tag, body),) = again["stmt"].items()
    read = node_of(tag, body, None)
    return bool(read == statement) or bool(flat(read) == flat(statement))


def _with_quoted_parameters(node: Node) -> Node:
    """The printer forgets the quotes around the name of a routine's parameter."""
    below = mapped(node, _with_quoted_parameters)
    if node.tag != "FunctionParameter" or not node.name:
        return below
    return changed(below, name=quoted(node.name))


def _printed(node: Node) -> str:
    from pytest_housekeeping.sql.parser import library

    raw = Node("RawStmt", stmt=node)
    try:
        return library.deparsed(wire.bytes_field(2, _message(raw)))
    except ParseError as error:
        raise Unprintable(error.message) from None


# -- a part, in a statement that holds nothing else ------------------------------------------------


def _expression(node: Node) -> tuple[Node, str]:
    if node.tag == "RawStmt":
        return node.stmt, ""
    if node.tag.endswith("Stmt"):
        return node, ""
    return Node("SelectStmt", targetList=(Node("ResTarget", val=node),)), "SELECT "


def _relation(node: Node) -> tuple[Node, str]:
    # Whether it is temporary is no part of its name.
    plain = changed(node, relpersistence="p")
    return Node("SelectStmt", fromClause=(plain,)), "SELECT FROM "


def _type(node: Node) -> tuple[Node, str]:
    name = (Node("String", sval="f"),)
    return Node("CreateFunctionStmt", funcname=name, returnType=node), _RETURNS


def _column(node: Node) -> tuple[Node, str]:
    statement, before = _in_table("AT_AddColumn", node)
    return statement, f"{before}COLUMN "


def _constraint(node: Node) -> tuple[Node, str]:
    return _in_table("AT_AddConstraint", node)


def _in_table(subtype: str, part: Node) -> tuple[Node, str]:
    table = Node("RangeVar", relname="t", inh=True, relpersistence="p")
    command = Node("AlterTableCmd", subtype=subtype, def_=part)
    return Node(
        "AlterTableStmt", relation=table, cmds=(command,), objtype="OBJECT_TABLE"
    ), "ALTER TABLE t ADD "


_PARTS: dict[str, Callable[[Node], tuple[Node, str]]] = {
    "RangeVar": _relation,
    "TypeName": _type,
    "ColumnDef": _column,
    "Constraint": _constraint,
}


# -- the message -----------------------------------------------------------------------------------


def _message(node: Node) -> bytes:
    # Few calls for each level: some hundreds of them are all that Python allows.
    known, found = schema.fields(node.tag), bytearray()
    for name, value in fields(node):
        field = known[name]
        for each in value if field.many else (value,):
            if field.many or not (each is None or each is False or each == 0):
                found += _written(field, each)
    return bytes(found)


def _written(field: Field, value: Any) -> bytes:
    if field.kind == "text":
        return wire.bytes_field(field.number, value.encode())
    if field.kind == "enum":
        return wire.number_field(field.number, schema.numbers(field.type)[value])
    if field.kind != "node":
        return wire.number_field(field.number, int(value))
    if field.number == schema.SPREAD:
        return wire.bytes_field(
            schema.described(CONSTANT)[_OF_TAG[value.tag]].number, _message(value)
        )
    if field.type != NODE:
        return wire.bytes_field(field.number, _message(value))
    # A node of any kind has the number of its kind before it.
    if value is None:
        return wire.bytes_field(field.number, b"")
    node = Node(_LIST, items=value) if isinstance(value, tuple) else value
    kind = schema.described(NODE)[node.tag].number
    return wire.bytes_field(field.number, wire.bytes_field(kind, _message(node)))
