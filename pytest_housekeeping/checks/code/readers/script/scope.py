"""What the names of a TypeScript or JavaScript file were given, the file taken as one scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.readers.script.tree import pairs, unwrapped, words

if TYPE_CHECKING:
    from tree_sitter import Node


class ScriptNames:
    """Variables by their name, fields of classes by the name behind ``this.``."""

    def __init__(self, nodes: dict[str, list[Node]]) -> None:
        self._variables: dict[str, list[tuple[str, Node]]] = {}
        self._fields: dict[str, list[Node]] = {}
        for kind, operation in (("declared", "="), ("assigned", "="), ("grown", "+=")):
            for node in nodes.get(kind, ()):
                target = node.child_by_field_name("name") or node.child_by_field_name("left")
                value = node.child_by_field_name("value") or node.child_by_field_name("right")
                if target is not None and value is not None:
                    self._variables.setdefault(words(target), []).append((operation, value))
        for node in nodes.get("field", ()):
            target = node.child_by_field_name("name") or node.child_by_field_name("property")
            value = node.child_by_field_name("value")
            if target is not None and value is not None:
                self._fields.setdefault(words(target), []).append(value)

    def given(self, node: Node) -> list[tuple[str, Node]]:
        """All that a name was given, ``=`` or ``+=`` each, in the order of the file."""
        if node.type == "identifier":
            given = self._variables.get(words(node), [])
            return sorted(given, key=lambda each: each[1].start_byte)
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
