"""Text as TypeScript and JavaScript put it together: literals, templates, sums and SQL tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.checks.code.readers.script.scope import ScriptNames
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    tagged,
    unwrapped,
    words,
)
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template, join, static_text
from pytest_housekeeping.sql.identifiers import in_quotes

if TYPE_CHECKING:
    from tree_sitter import Node

TAGS = {"sql", "SQL", "$queryRaw", "$executeRaw", "PgSql", "pgsql"}
_TAG_OBJECTS = ("sql", "SQL", "Prisma", "this.sql")
_IDENTIFIER_CALLS = {"identifier", "id", "table", "ref", "name"}
_RAW_CALLS = ("raw", "unsafe", "lit")
_KEEPING_METHODS = {"trim", "trimStart", "trimEnd", "toString", "concat"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
# How many names and calls deep a text is followed: a name may lead back to itself.
_DEPTH = 12


def template(node: Node, names: ScriptNames, depth: int = _DEPTH) -> Template | None:
    """The text that an expression makes, or None when it makes none."""
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


def part(node: Node, names: ScriptNames, depth: int) -> Template:
    """The text that an expression makes, or a hole in its place."""
    found = template(node, names, depth)
    if found is not None:
        return found
    helper = node.type == "call_expression" and callee(node)[1] in TAGS
    value = helper or node.type in ("number", "true", "false", "null")
    return (Hole(expression=" ".join(words(node).split())[:60], value=value),)


def _template_string(node: Node, names: ScriptNames, depth: int) -> Template:
    parts: list[Template] = []
    for child in node.named_children:
        if child.type == "template_substitution":
            inner = [each for each in child.named_children if each.type != "comment"]
            parts.append(part(inner[0], names, depth) if inner else ("",))
        else:
            parts.append((_unescaped(words(child)),))
    return join(*parts)


def _sum(node: Node, names: ScriptNames, depth: int) -> Template | None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if left is None or right is None or operator is None or words(operator) != "+":
        return None
    texts = (template(left, names, depth), template(right, names, depth))
    if texts == (None, None):
        return None
    return join(texts[0] or part(left, names, 1), texts[1] or part(right, names, 1))


def _call(node: Node, names: ScriptNames, depth: int) -> Template | None:
    base, name = callee(node)
    if (inner := tagged(node)) is not None:
        return _template_string(inner, names, depth) if name in (*TAGS, "raw") else None
    given = arguments(node)
    if base is None:
        # postgres.js: sql("name") is an identifier.
        return _identifier(given[:1], names, depth) if name in TAGS and given else None
    if given and words(base) in _TAG_OBJECTS:
        if name in _IDENTIFIER_CALLS:
            items = given[0].named_children if given[0].type == "array" else given
            return _identifier(items, names, depth)
        if name in _RAW_CALLS:
            return part(given[0], names, depth)
    return _method(base, name, given, names, depth)


def _method(
    base: Node, name: str, given: list[Node], names: ScriptNames, depth: int
) -> Template | None:
    """Methods of texts and lists that keep what they are called on."""
    if base.type == "array" and name == "join":
        separator = static_text(template(given[0], names, depth)) if given else ","
        parts = [part(each, names, depth) for each in base.named_children]
        spaced = [each for one in parts for each in ((separator or " ",), one)][1:]
        return join(*spaced)
    if name in _KEEPING_METHODS:
        text = template(base, names, depth)
        if text is None:
            return None
        more = [part(each, names, depth) for each in given] if name == "concat" else []
        return join(text, *more)
    return None


def _identifier(items: list[Node], names: ScriptNames, depth: int) -> Template | None:
    texts = [static_text(template(each, names, depth)) for each in items]
    if not texts or any(text is None for text in texts):
        return None
    parts = [piece for text in texts for piece in (text or "").split(".")]
    return (in_quotes(*parts),)


def _given(node: Node, names: ScriptNames, depth: int) -> Template | None:
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
