"""Walking the syntax trees of PostgreSQL's own parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def names_of(parts: Any) -> tuple[str, ...]:
    """The parts of a qualified name, as a function or an operator has it."""
    return tuple(str(part.sval) for part in parts or ())


def children(node: Any) -> Iterator[Any]:
    """The nodes, and tuples of nodes, right below a node or in a tuple."""
    from pglast import ast

    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, ast.Node):
        for slot in node:
            child = getattr(node, slot)
            if isinstance(child, tuple | ast.Node):
                yield child


def below(node: Any) -> Iterator[Any]:
    """The node and every node below it."""
    from pglast import ast

    if isinstance(node, ast.Node):
        yield node
    for child in children(node):
        yield from below(child)
