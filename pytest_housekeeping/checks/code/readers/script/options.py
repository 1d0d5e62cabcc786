"""Roles and schemas among the options of a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.tree import arguments, callee, pairs

if TYPE_CHECKING:
    from tree_sitter import Node

_CONNECTORS = frozenset(
    ["createClient", "Pool", "Client", "postgres", "knex", "PrismaClient", "Sequelize"]
)


def read(file: ScriptFile) -> None:
    """Take in the options of everything that opens a connection, called or made with ``new``."""
    for call in [*file.nodes.get("call", ()), *file.nodes.get("new", ())]:
        if callee(call)[1] in _CONNECTORS:
            for argument in arguments(call):
                _read_options(file, argument)


def _read_options(file: ScriptFile, options: Node) -> None:
    for path, value in _leaves(options):
        text = file.static_value(value)
        if not text:
            continue
        place = file.span(value)
        if path[-1] == "user":
            file.collector.add_name((text,), ReferenceKind.ROLE, place, how="connection options")
        # Supabase chooses the schema of its client by db.schema.
        elif path[-1] in ("searchPath", "search_path") or path == ("db", "schema"):
            file.collector.add_name((text,), ReferenceKind.SCHEMA, place, how="connection options")


def _leaves(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """The values of nested objects and lists, each with its keys from the outside in."""
    for key, value in pairs(node):
        if value.type == "object":
            yield from _leaves(value, (*path, key))
        elif value.type == "array":
            yield from (((*path, key), each) for each in value.named_children)
        else:
            yield (*path, key), value
