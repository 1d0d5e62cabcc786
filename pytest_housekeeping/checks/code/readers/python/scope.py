"""What the names of a Python file were given, function by function."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Literal

Operation = Literal["=", "+=", "each", "?"]
"""A value, something added to it, one of a loop's values, or something that is not followed."""


@dataclass(slots=True)
class Assignments:
    """All that one name was given, in the order of the file."""

    values: list[tuple[Operation, ast.expr]] = field(default_factory=list)

    @property
    def single(self) -> ast.expr | None:
        """The value of a name that was given one only."""
        if len(self.values) == 1 and self.values[0][0] == "=":
            return self.values[0][1]
        return None


@dataclass(slots=True)
class NameScope:
    """The names of one function, class or module, and of the one around it.

    ``attributes``: what ``self.x`` was given anywhere in the file, for all classes together.
    ``owners``: the names through which an attribute of this file's classes is meant.
    """

    names: dict[str, Assignments] = field(default_factory=dict)
    outer: NameScope | None = None
    attributes: dict[str, Assignments] = field(default_factory=dict)
    owners: set[str] = field(default_factory=lambda: {"self", "cls"})

    def inner(self) -> NameScope:
        """A scope inside this one. Attributes are those of the whole file."""
        return NameScope(outer=self, attributes=self.attributes, owners=self.owners)

    def of_name(self, name: str) -> Assignments:
        """What a name of this very scope is given."""
        return self.names.setdefault(name, Assignments())

    def of_attribute(self, name: str) -> Assignments:
        """What an attribute is given, of whichever class."""
        return self.attributes.setdefault(name, Assignments())

    def find(self, name: str) -> Assignments | None:
        """What a name was given here, or in the nearest scope around that has it."""
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None

    def resolve(self, node: ast.expr) -> Assignments | None:
        """What a name, an attribute of this file's classes, or a dictionary's entry was given."""
        if isinstance(node, ast.Name):
            return self.find(node.id)
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in self.owners
        ):
            return self.attributes.get(node.attr)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return self._entry(node.value, node.slice.value)
        return None

    def single(self, node: ast.expr) -> ast.expr | None:
        """The one value of a name, an attribute or an entry."""
        assignments = self.resolve(node)
        return assignments.single if assignments is not None else None

    def _entry(self, node: ast.expr, key: object) -> Assignments | None:
        """The value under a key of a dictionary that is written out."""
        dictionary = self.single(node)
        if not isinstance(dictionary, ast.Dict):
            return None
        for each, value in zip(dictionary.keys, dictionary.values, strict=True):
            if isinstance(each, ast.Constant) and each.value == key:
                return Assignments([("=", value)])
        return None
