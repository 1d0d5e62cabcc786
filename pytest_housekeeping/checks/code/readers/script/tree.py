"""The syntax tree of a TypeScript or JavaScript file, and questions to its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query, Tree

# The nodes of interest, so that only they are looked at and not the whole tree.
_QUERY = """
(string) @text
(template_string) @text
(call_expression) @call
(new_expression) @new
(variable_declarator) @declared
(assignment_expression) @assigned
(augmented_assignment_expression) @grown
(import_statement) @import
(export_statement source: (string)) @import
(object) @object
(array) @array
(method_definition) @method
"""
_FIELDS = {"ts": "(public_field_definition) @field", "js": "(field_definition) @field"}
_WRAPPERS = {
    "parenthesized_expression",
    "as_expression",
    "satisfies_expression",
    "non_null_expression",
    "await_expression",
    "instantiation_expression",
}


def parse(data: bytes, dialect: str) -> tuple[Tree, dict[str, list[Node]]]:
    """The tree, which is made whatever the text is, and its nodes of interest."""
    from tree_sitter import Parser, QueryCursor

    tree = Parser(_language(dialect)).parse(data)
    return tree, QueryCursor(_query(dialect)).captures(tree.root_node)


def words(node: Node) -> str:
    """The node's own text."""
    return (node.text or b"").decode(errors="replace")


def unwrapped(node: Node) -> Node:
    """Without brackets, ``as const`` and ``await``."""
    while node.type in _WRAPPERS and node.named_children:
        node = node.named_children[0]
    return node


def pairs(node: Node) -> Iterator[tuple[str, Node]]:
    """The keys and values of an object literal."""
    if node.type != "object":
        return
    for pair in node.named_children:
        if pair.type == "pair":
            key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
            if key is not None and value is not None:
                yield words(key).strip("'\""), value


def callee(call: Node) -> tuple[Node | None, str]:
    """What a method is called on, None for a plain function, and the name that is called."""
    function = call.child_by_field_name("function") or call.child_by_field_name("constructor")
    if function is None:
        return None, ""
    function = unwrapped(function)
    if function.type == "member_expression":
        name = function.child_by_field_name("property")
        return function.child_by_field_name("object"), words(name) if name is not None else ""
    return None, words(function) if function.type == "identifier" else ""


def arguments(call: Node) -> list[Node]:
    """The arguments of a call; of a tagged template none."""
    given = call.child_by_field_name("arguments")
    if given is None or given.type != "arguments":
        return []
    return [unwrapped(each) for each in given.named_children if each.type != "comment"]


def tagged(call: Node) -> Node | None:
    """The template of a tagged template such as sql`...`."""
    given = call.child_by_field_name("arguments")
    return given if given is not None and given.type == "template_string" else None


@cache
def _language(dialect: str) -> Language:
    from tree_sitter import Language

    if dialect == "js":
        import tree_sitter_javascript

        return Language(tree_sitter_javascript.language())
    import tree_sitter_typescript

    if dialect == "tsx":
        return Language(tree_sitter_typescript.language_tsx())
    return Language(tree_sitter_typescript.language_typescript())


@cache
def _query(dialect: str) -> Query:
    from tree_sitter import Query

    fields = _FIELDS["js" if dialect == "js" else "ts"]
    return Query(_language(dialect), _QUERY + fields)
