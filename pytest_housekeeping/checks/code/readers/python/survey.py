"""What one walk through a Python file notes, for the readers of calls, models and texts."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from pytest_housekeeping.checks.code.facts import Import
from pytest_housekeeping.checks.code.readers.python.scope import NameScope
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call, with the names around it and the symbol that it stands in."""

    node: ast.Call
    scope: NameScope
    symbol: str


@dataclass(frozen=True, slots=True)
class TextSite:
    """An expression that is a text, or makes one.

    ``is_message``: a text for people, in a log, an error or a help text, that no database gets.
    """

    node: ast.expr
    scope: NameScope
    symbol: str
    is_message: bool = False


@dataclass(frozen=True, slots=True)
class ClassSite:
    """A class; ``symbol`` is its own name with those around it."""

    node: ast.ClassDef
    scope: NameScope
    symbol: str


@dataclass(slots=True)
class Survey:
    """Calls, texts, classes and imports of a file, and what its names were given.

    ``origins``: where an imported name comes from. ``packages``: the top-level packages imported.
    ``settings``: values under the key that they are given. ``lists``: lists that are written out.
    ``symbols``: the symbol around each text, by the identity of its node.
    """

    calls: list[CallSite] = field(default_factory=list)
    texts: list[TextSite] = field(default_factory=list)
    classes: list[ClassSite] = field(default_factory=list)
    settings: list[tuple[str, TextSite]] = field(default_factory=list)
    lists: list[TextSite] = field(default_factory=list)
    top: NameScope = field(default_factory=NameScope)
    imports: list[Import] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    symbols: dict[int, str] = field(default_factory=dict)

    def add_text(self, node: ast.expr, scope: NameScope, symbol: str, is_message: bool) -> None:
        self.texts.append(TextSite(node, scope, symbol, is_message))
        self.symbols[id(node)] = symbol

    def add_setting(self, key: str, value: ast.expr, scope: NameScope, symbol: str) -> None:
        for each in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
            self.settings.append((key, TextSite(each, scope, symbol)))


def call_name(node: ast.Call) -> str:
    """The last name of what is called: ``execute`` of ``self.cur.execute(...)``."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def holds_text(node: ast.expr) -> bool:
    """Whether a sum has a text among its terms."""
    if isinstance(node, ast.BinOp):
        return holds_text(node.left) or holds_text(node.right)
    if isinstance(node, ast.Call):
        return call_name(node) in ("SQL", "format", "join")
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def is_mapping(node: ast.expr) -> bool:
    """``Order.__table__``, ``Base.metadata`` and ``Order._meta``: their attributes name tables."""
    return isinstance(node, ast.Attribute) and node.attr in ("__table__", "metadata", "_meta")


def span(collector: Collector, node: ast.expr | ast.stmt, symbol: str) -> Span:
    """Where a node stands in the file."""
    end_line = node.end_lineno or node.lineno
    return Span(
        collector.offset(node.lineno, node.col_offset),
        collector.offset(end_line, node.end_col_offset or 0),
        symbol,
    )
