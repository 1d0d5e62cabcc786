"""One TypeScript or JavaScript file under examination: its tree, its names, what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import MODULE, Import
from pytest_housekeeping.checks.code.readers.script.scope import ScriptNames
from pytest_housekeeping.checks.code.readers.script.text import template
from pytest_housekeeping.checks.code.readers.script.tree import arguments, parse, words
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template, static_text
from pytest_housekeeping.checks.code.vocabulary import vocabulary

if TYPE_CHECKING:
    from tree_sitter import Node

_POSTGRES_MODULES = {"pg", "postgres"}
_OTHER_MODULES = {"mysql", "mysql2", "better-sqlite3", "sqlite3", "mssql", "oracledb"}
# Where ``schema`` in an object's literal is one of the database's.
_MAPPERS = ("typeorm", "@mikro-orm/", "sequelize", "pg-promise", "@supabase/", "knex", "kysely")
# Their tables stand in properties and classes that are not read.
_UNREAD_MODULES = vocabulary(
    """
    massive bookshelf waterline orchid-orm zapatos rake-db sutando ts-sql-query
    pg-format node-pg-format
    @adonisjs/lucid @loopback/repository
    graphql-request graphql-tag urql @urql/core @apollo/client apollo-boost react-relay
    """
)
_SYMBOLS = {"function_declaration", "method_definition", "class_declaration", "function_expression"}


class ScriptFile:
    """The file while its readers work on it.

    ``nodes``: those of interest, by what they are. ``done``: the ids of the texts that a reader has
    dealt with, so that no other reads them again. ``has_mapper``: it imports a mapper.
    """

    def __init__(self, text: str, file: str, dialect: str) -> None:
        data = text.encode()
        self.tree, self.nodes = parse(data, dialect)
        self.names = ScriptNames(self.nodes)
        self._data = None if text.isascii() else data
        modules = {module for _, module in self._modules()}
        others = bool(modules & _OTHER_MODULES)
        self.collector = Collector(file, text, foreign=others and not modules & _POSTGRES_MODULES)
        self.has_mapper = any(each.startswith(_MAPPERS) for each in modules)
        self.done: set[int] = set()

    def span(self, node: Node) -> Span:
        """Where a node stands in the file."""
        return Span(self._offset(node.start_byte), self._offset(node.end_byte), _symbol(node))

    def template(self, node: Node) -> Template | None:
        """The text that a node makes, or None when it makes none."""
        return template(node, self.names)

    def static_value(self, node: Node) -> str | None:
        """The text, when the file tells all of it; else None."""
        return static_text(template(node, self.names))

    def add_text(self, node: Node, *, how: str, sink: bool) -> bool:
        """Add one text to the facts. False when the node makes no text."""
        text = self.template(node)
        if text is None or all(isinstance(part, Hole) for part in text):
            return False
        self.done.add(node.id)
        self.collector.add_text(text, self.span(node), how=how, sink=sink)
        return True

    def read_imports(self) -> None:
        """Take in ``import``, ``require`` and ``export ... from``."""
        for node, module in self._modules():
            place = self.span(node)
            line, column = self.collector.place(place.start)
            self.collector.imports.append(
                Import(line=line, column=column, symbol=place.symbol, module=module)
            )
            package = "/".join(module.split("/")[: 1 + module.startswith("@")])
            if package in _UNREAD_MODULES:
                self.collector.add_unread(line, column, place.symbol, package)

    def _offset(self, byte: int) -> int:
        """tree-sitter counts bytes; a place in a text counts characters."""
        return byte if self._data is None else len(self._data[:byte].decode(errors="ignore"))

    def _modules(self) -> Iterator[tuple[Node, str]]:
        for node in self.nodes.get("import", ()):
            source = node.child_by_field_name("source")
            if source is not None:
                yield node, words(source)[1:-1]
        for node in self.nodes.get("call", ()):
            function = node.child_by_field_name("function")
            if function is not None and words(function) in ("require", "import"):
                given = arguments(node)
                if given and given[0].type == "string":
                    yield node, words(given[0])[1:-1]


def _symbol(node: Node) -> str:
    """The functions and classes around a node, outermost first."""
    found: list[str] = []
    at: Node | None = node.parent
    while at is not None:
        if at.type in _SYMBOLS and (name := at.child_by_field_name("name")) is not None:
            found.append(words(name))
        elif at.type == "arrow_function" and at.parent is not None:
            name = at.parent.child_by_field_name("name")
            if at.parent.type == "variable_declarator" and name is not None:
                found.append(words(name))
        at = at.parent
    return ".".join(reversed(found)) or MODULE
