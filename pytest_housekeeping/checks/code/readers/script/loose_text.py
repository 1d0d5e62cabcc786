"""Texts that are passed to no known database call, and may be SQL all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.readers.script.chains import receiver
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.tree import callee
from pytest_housekeeping.checks.code.sqltext.connection_options import may_hold_options
from pytest_housekeeping.checks.code.sqltext.recognize import (
    starts_like_fragment,
    starts_like_sql,
)
from pytest_housekeeping.checks.code.sqltext.search import is_command
from pytest_housekeeping.checks.code.sqltext.template import Template, visible_text

if TYPE_CHECKING:
    from tree_sitter import Node

_LOGGERS = frozenset(["console", "log", "logger", "winston", "pino"])
_NO_TEXT = {
    "import_statement",
    "literal_type",
    "jsx_attribute",
    "export_statement",
    "enum_assignment",
}


def read(file: ScriptFile) -> None:
    """Take in every text that no other reader has dealt with."""
    for node in file.nodes.get("text", ()):
        _read_text(file, node)


def _read_text(file: ScriptFile, node: Node) -> None:
    if node.id in file.done:
        return
    text = file.template(node)
    whole = _whole(node)
    if whole.id in file.done or text is None:
        return
    if whole.id != node.id:
        file.done.add(whole.id)
        text = file.template(whole) or text
    if _may_name_something(text) and not _is_message(node):
        file.collector.add_text(text, file.span(whole), how="script text", sink=False)


def _may_name_something(text: Template) -> bool:
    plain = visible_text(text)
    starts = starts_like_sql(plain) or starts_like_fragment(plain)
    return starts or is_command(plain) or may_hold_options(plain)


def _whole(node: Node) -> Node:
    """The sum, or the join of a list, that a text is a part of."""
    at = node
    while at.parent is not None and at.parent.type in (
        "binary_expression",
        "parenthesized_expression",
    ):
        at = at.parent
    parent = at.parent
    if parent is not None and parent.type == "array" and parent.parent is not None:
        join = parent.parent
        call = join.parent if join.type == "member_expression" else None
        if call is not None and callee(call)[1] == "join":
            return call
    return at


def _is_message(node: Node) -> bool:
    """Whether it is part of a log message, an error, a key or a type: no database gets it."""
    at: Node | None = node
    while at is not None:
        parent = at.parent
        if parent is None or parent.type in ("statement_block", "class_body"):
            return at.type == "expression_statement" and at.named_children[:1] == [node]
        if parent.type in _NO_TEXT and not (parent.type == "export_statement" and at is not node):
            return parent.type != "export_statement" or parent.child_by_field_name("source") == at
        if parent.type == "pair" and parent.child_by_field_name("key") == at:
            return True
        if parent.type == "subscript_expression" and parent.child_by_field_name("index") == at:
            return True
        if parent.type in ("call_expression", "new_expression"):
            base, name = callee(parent)
            if name.endswith(("Error", "Exception")) or receiver(base) in _LOGGERS:
                return True
        at = parent
    return False
