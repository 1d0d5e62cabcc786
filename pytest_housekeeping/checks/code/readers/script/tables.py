"""Names of tables in the arguments of query builders and mappers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    pairs,
    unwrapped,
    words,
)
from pytest_housekeeping.sql.identifiers import split_name

if TYPE_CHECKING:
    from tree_sitter import Node

# ``orders``, ``venture.orders``, ``venture.orders as o``
_NAME = re.compile(
    r'\s*((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)(?:\s+(?:as\s+)?\w+)?\s*', re.IGNORECASE
)


def is_name(text: str) -> bool:
    """Whether a text is the name of an object, perhaps with an alias."""
    return _NAME.fullmatch(text) is not None


def add_table(
    file: ScriptFile,
    node: Node,
    schema: str | None,
    *,
    how: str,
    certain: bool,
    columns: Node | None = None,
) -> None:
    """Take in the name that a node holds. ``columns``: the object that declares its columns."""
    text = file.static_value(node)
    if text is None:
        add_run_time_name(file, node, how)
        return
    match = _NAME.fullmatch(text)
    if match is None:
        return
    parts = split_name(match[1]) if '"' in text else tuple(match[1].split("."))
    if schema is not None and len(parts) == 1:
        parts = (schema, *parts)
    file.done.add(node.id)
    file.collector.add_name(
        parts,
        ReferenceKind.RELATION,
        file.span(node),
        how=how,
        certain=certain,
        columns=tuple(_columns(file, columns)) if columns is not None else (),
    )


def add_run_time_name(file: ScriptFile, node: Node, how: str) -> None:
    """A name that the file does not tell."""
    name = " ".join(words(node).split())[:60]
    reason = f"{how.removesuffix('()')}() of a name that is made at run time: {name}"
    file.collector.add_undecided(file.span(node), reason)


def _columns(file: ScriptFile, node: Node) -> Iterator[str]:
    """``id: integer("id").primaryKey()`` names its column, ``id: integer()`` by its key."""
    for key, value in pairs(node):
        at: Node | None = unwrapped(value)
        while at is not None and at.type == "call_expression":
            base, _ = callee(at)
            if base is None:
                given = arguments(at)
                text = file.static_value(given[0]) if given and given[0].type == "string" else None
                yield text or key
            at = base
