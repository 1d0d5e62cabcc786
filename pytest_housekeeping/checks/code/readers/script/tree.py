"""The syntax tree of a TypeScript or JavaScript file, and the text that its nodes put together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.checks.code.sqltext.template import Hole, Template, join, static
from pytest_housekeeping.sql.identifiers import in_quotes

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query, Tree

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
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
IDENTIFIER_CALLS = {"identifier", "id", "table", "ref", "name"}
TAGS = {"sql", "SQL", "$queryRaw", "$executeRaw", "PgSql", "pgsql"}
_KEEPING_METHODS = {"trim", "trimStart", "trimEnd", "toString", "concat"}
_DEPTH = 12


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


def parse(data: bytes, dialect: str) -> tuple[Tree, dict[str, list[Node]]]:
    """The tree, which is made whatever the text is, and its nodes of interest."""
    from tree_sitter import Parser, QueryCursor

    tree = Parser(_language(dialect)).parse(data)
    return tree, QueryCursor(_query(dialect)).captures(tree.root_node)


class Names:
    """What the names of a file were given: variables by name, fields by ``this.`` name."""

    def __init__(self, nodes: dict[str, list[Node]]) -> None:
        self._given: dict[str, list[tuple[str, Node]]] = {}
        self._fields: dict[str, list[Node]] = {}
        for kind, operation in (("declared", "="), ("assigned", "="), ("grown", "+=")):
            for node in nodes.get(kind, ()):
                target = node.child_by_field_name("name") or node.child_by_field_name("left")
                value = node.child_by_field_name("value") or node.child_by_field_name("right")
                if target is not None and value is not None:
                    self._given.setdefault(words(target), []).append((operation, value))
        for node in nodes.get("field", ()):
            target = node.child_by_field_name("name") or node.child_by_field_name("property")
            value = node.child_by_field_name("value")
            if target is not None and value is not None:
                self._fields.setdefault(words(target), []).append(value)

    def given(self, node: Node) -> list[tuple[str, Node]]:
        """Everything that a name was given, in the order of the file."""
        if node.type == "identifier":
            return sorted(self._given.get(words(node), []), key=lambda each: each[1].start_byte)
        if node.type == "member_expression":
            return self._member(node)
        return []

    def single(self, node: Node) -> Node | None:
        """What a name was given, when it was given one thing only."""
        given = self.given(node)
        return unwrapped(given[0][1]) if len(given) == 1 and given[0][0] == "=" else None

    def _member(self, node: Node) -> list[tuple[str, Node]]:
        base, key = node.child_by_field_name("object"), node.child_by_field_name("property")
        if base is None or key is None:
            return []
        if base.type == "identifier":
            value = self.single(base)
            for pair_key, pair_value in pairs(value) if value is not None else ():
                if pair_key == words(key):
                    return [("=", pair_value)]
        fields = self._fields.get(words(key), [])
        return [("=", fields[0])] if len(fields) == 1 else []


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


def template(node: Node, names: Names, depth: int = _DEPTH) -> Template | None:
    """The text, or None when the expression is not made of text at all."""
    node = unwrapped(node)
    if depth == 0:
        return None
    if node.type == "string":
        return (_unescaped(words(node)[1:-1]),)
    if node.type == "template_string":
        return _template_string(node, names, depth - 1)
    if node.type == "binary_expression":
        return _sum(node, names, depth - 1)
    if node.type == "call_expression":
        return _call(node, names, depth - 1)
    if node.type in ("identifier", "member_expression"):
        return _given(node, names, depth - 1)
    return None


def part(node: Node, names: Names, depth: int) -> Template:
    """The text, or a hole."""
    found = template(node, names, depth)
    if found is not None:
        return found
    helper = node.type == "call_expression" and callee(node)[1] in TAGS
    value = helper or node.type in ("number", "true", "false", "null")
    return (Hole(expression=" ".join(words(node).split())[:60], value=value),)


def _template_string(node: Node, names: Names, depth: int) -> Template:
    parts: list[Template] = []
    for child in node.named_children:
        if child.type == "template_substitution":
            inner = [each for each in child.named_children if each.type != "comment"]
            parts.append(part(inner[0], names, depth) if inner else ("",))
        else:
            parts.append((_unescaped(words(child)),))
    return join(*parts)


def _sum(node: Node, names: Names, depth: int) -> Template | None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if left is None or right is None or operator is None or words(operator) != "+":
        return None
    texts = (template(left, names, depth), template(right, names, depth))
    if texts == (None, None):
        return None
    return join(texts[0] or part(left, names, 1), texts[1] or part(right, names, 1))


def _call(node: Node, names: Names, depth: int) -> Template | None:
    base, name = callee(node)
    if (inner := tagged(node)) is not None:
        return _template_string(inner, names, depth) if name in (*TAGS, "raw") else None
    given = arguments(node)
    if base is None and name in TAGS and given:
        return _identifier(given[:1], names, depth)
    if base is not None and words(base) in ("sql", "SQL", "Prisma", "this.sql"):
        if name in IDENTIFIER_CALLS and given:
            items = given[0].named_children if given[0].type == "array" else given
            return _identifier(items, names, depth)
        if name in ("raw", "unsafe", "lit") and given:
            return part(given[0], names, depth)
    if base is not None and base.type == "array" and name == "join":
        separator = static(template(given[0], names, depth)) if given else ","
        parts = [part(each, names, depth) for each in base.named_children]
        spaced = [each for one in parts for each in ((separator or " ",), one)][1:]
        return join(*spaced)
    if base is not None and name in _KEEPING_METHODS:
        text = template(base, names, depth)
        if text is None:
            return None
        more = [part(each, names, depth) for each in given] if name == "concat" else []
        return join(text, *more)
    return None


def _identifier(items: list[Node], names: Names, depth: int) -> Template | None:
    texts = [static(template(each, names, depth)) for each in items]
    if not texts or any(text is None for text in texts):
        return None
    parts = [piece for text in texts for piece in (text or "").split(".")]
    return (in_quotes(*parts),)


def _given(node: Node, names: Names, depth: int) -> Template | None:
    given = names.given(node)
    if not given:
        return None
    if len(given) == 1 and given[0][0] == "=":
        return template(given[0][1], names, depth)
    if given[0][0] == "=" and {operation for operation, _ in given[1:]} == {"+="}:
        if template(given[0][1], names, depth) is None:
            return None
        return join(*(part(value, names, depth) for _, value in given))
    return None


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "ux" and len(code) > 1:
            number: Any = code[1:].strip("{}")
            return chr(min(int(number, 16), 0x10FFFF))
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, text)
