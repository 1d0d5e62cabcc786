"""Which settings a policy reads, and what of the JSON in them, also in the functions it calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.function_bodies import (
    BodyUnread,
    ProjectFunction,
    queries_of,
)
from pytest_housekeeping.checks.rls.expressions.never_true import literal_of
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parser import Node, ParseError, children, is_a, parse, walk

_IN_TEXT = re.compile(r"\bcurrent_setting\s*\(\s*'((?:[^']|'')+)'", re.IGNORECASE)
_SHOWS_ALL = ("pg_settings", "pg_show_all_settings")
# What these tell is made of search_path.
_SCHEMAS = ("current_schema", "current_schemas")
_STEPS = ("->", "->>", "#>", "#>>", "?")
_EXTRACTS = frozenset(
    f"{kind}_extract_path{text}" for kind in ("json", "jsonb") for text in ("", "_text")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingRead:
    """A setting that is read; ``name`` is empty where it is made up at run time, and ``all``
    where a view of all settings is read. ``path`` leads to a value in its JSON."""

    name: str = ""
    all: bool = False
    path: tuple[str, ...] = ()


@dataclass(kw_only=True)
class SettingsRead:
    """Answers for one database; each text and each function is read once."""

    functions: Functions
    _texts: dict[str, frozenset[SettingRead]] = field(default_factory=dict)
    _bodies: dict[ProjectFunction, frozenset[SettingRead]] = field(default_factory=dict)

    def of(self, text: str) -> frozenset[SettingRead]:
        """What an expression reads; nothing where it does not parse, which others tell."""
        if text not in self._texts:
            try:
                tree: Any = parse(f"SELECT WHERE {text}")[0].stmt
                self._texts[text] = frozenset(self._in(tree))
            except ParseError:
                self._texts[text] = frozenset()
        return self._texts[text]

    def _in(self, node: Any) -> Iterator[SettingRead]:
        if isinstance(node, tuple):
            for each in node:
                yield from self._in(each)
            return
        if not isinstance(node, Node):
            return
        base, path = _json_path(node)
        if path:
            yield from self._below(set(self._in(base)), path)
            return
        if is_a(node, "RangeVar") and node.relname in _SHOWS_ALL:
            yield SettingRead(all=True)
        if is_a(node, "SQLValueFunction") and node.op == "SVFOP_CURRENT_SCHEMA":
            yield SettingRead(name="search_path")
        if is_a(node, "FuncCall"):
            yield from self._called(node)
        for child in children(node):
            yield from self._in(child)

    def _below(self, base: set[SettingRead], path: tuple[str, ...]) -> Iterator[SettingRead]:
        """What is read of the base, and the path below it: below what a function has taken out of
        the JSON already, if it has."""
        yield from base
        for name in {read.name for read in base if read.name}:
            taken = [read.path for read in base if read.name == name and read.path]
            yield from (SettingRead(name=name, path=(*before, *path)) for before in taken or [()])

    def _called(self, call: Node) -> Iterator[SettingRead]:
        *schema, name = names_of(call.funcname)
        if schema in ([], ["pg_catalog"]):
            if name == "current_setting" and call.args:
                yield SettingRead(name=(literal_of(call.args[0]) or "").lower())
            elif name in _SHOWS_ALL:
                yield SettingRead(all=True)
            elif name in _SCHEMAS:
                yield SettingRead(name="search_path")
        if schema != ["pg_catalog"]:
            for function in self.functions(name):
                if not schema or function.schema == schema[-1]:
                    yield from self._of_body(function)

    def _of_body(self, function: ProjectFunction) -> frozenset[SettingRead]:
        if function not in self._bodies:
            self._bodies[function] = frozenset()  # the answer for one that calls itself
            try:
                found = {read for query in queries_of(function) for read in self._in(query)}
            except BodyUnread:
                text = function.source or function.definition
                found = {
                    SettingRead(name=each.replace("''", "'").lower())
                    for each in _IN_TEXT.findall(text)
                }
            self._bodies[function] = frozenset(found)
        return self._bodies[function]


def _json_path(node: Node) -> tuple[Any, tuple[str, ...]]:
    """``base -> 'a' ->> 'b'`` as its base and the keys; no keys where it is none."""
    if is_a(node, "TypeCast", "CollateClause"):
        return _json_path(node.arg) if isinstance(node.arg, Node) else (node, ())
    if is_a(node, "A_Expr") and node.kind == "AEXPR_OP" and len(node.name or ()) == 1:
        keys = _keys(node.rexpr, names_of(node.name)[0])
        if keys and isinstance(node.lexpr, Node):
            base, before = _json_path(node.lexpr)
            return base, (*before, *keys)
    if is_a(node, "FuncCall") and names_of(node.funcname)[-1] in _EXTRACTS:
        found = [literal_of(each) for each in node.args[1:]]
        if found and all(found):
            base, before = _json_path(node.args[0])
            return base, (*before, *(each for each in found if each))
    return node, ()


def _keys(node: Any, operator: str) -> tuple[str, ...]:
    if operator not in _STEPS or any(is_a(item, "ColumnRef") for item in walk(node)):
        return ()
    text = literal_of(node)
    if text is None:
        return ()
    return tuple(text.strip("{}").split(",")) if operator.startswith("#") else (text,)
