"""References out of a TypeScript or JavaScript file, by tree-sitter's syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import FileFacts, Import, ReferenceKind
from pytest_housekeeping.checks.code.readers.script.tree import (
    TAGS,
    Names,
    arguments,
    callee,
    pairs,
    parse,
    tagged,
    template,
    unwrapped,
    words,
)
from pytest_housekeeping.checks.code.sqltext import parse as sqltext
from pytest_housekeeping.checks.code.sqltext.collector import MODULE, Collector, Span
from pytest_housekeeping.checks.code.sqltext.connection_options import looks_like_settings
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template, static, visible
from pytest_housekeeping.checks.code.vocabulary import vocabulary

if TYPE_CHECKING:
    from tree_sitter import Node

DIALECTS = {
    ".ts": "ts",
    ".mts": "ts",
    ".cts": "ts",
    ".tsx": "tsx",
    ".js": "js",
    ".mjs": "js",
    ".cjs": "js",
    ".jsx": "js",
}
_SINKS = vocabulary(
    """
    query execute raw unsafe $queryRawUnsafe $executeRawUnsafe literal any one none many
    oneOrNone manyOrNone multi stream prepare queryRaw executeSql each map result
    """
)
_SHARED = frozenset(
    ["any", "one", "none", "many", "multi", "stream", "prepare", "each", "map", "result", "literal"]
)
RECEIVERS = vocabulary(
    """
    pool client db conn connection pg knex sequelize prisma sql tx trx session manager
    datasource queryrunner entitymanager database supabase kysely sb cursor transaction t
    pgclient pgpool pgp admin
    """
)
_SILENT_RECEIVERS = frozenset(["console", "log", "logger", "winston", "pino"])
_SYMBOLS = {"function_declaration", "method_definition", "class_declaration", "function_expression"}
_NO_TEXT = {
    "import_statement",
    "literal_type",
    "jsx_attribute",
    "export_statement",
    "enum_assignment",
}


class ScriptFile:
    """One file under examination."""

    def __init__(self, text: str, file: str, dialect: str) -> None:
        data = text.encode()
        self.tree, self.nodes = parse(data, dialect)
        self.names = Names(self.nodes)
        self._data = None if text.isascii() else data
        modules = {module for _, module in self._modules()}
        others = bool(
            modules & {"mysql", "mysql2", "better-sqlite3", "sqlite3", "mssql", "oracledb"}
        )
        self.collector = Collector(file, text, foreign=others and not modules & {"pg", "postgres"})
        self.done: set[int] = set()

    def span(self, node: Node) -> Span:
        return Span(self._offset(node.start_byte), self._offset(node.end_byte), symbol(node))

    def take(self, node: Node, *, how: str, sink: bool) -> bool:
        """Take in one text. False when it is not made of text at all."""
        text = template(node, self.names)
        if text is None or all(isinstance(part, Hole) for part in text):
            return False
        self.done.add(node.id)
        self.collector.sql(text, self.span(node), how=how, sink=sink)
        return True

    def static(self, node: Node) -> str | None:
        return static(template(node, self.names))

    def _offset(self, byte: int) -> int:
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

    def read_imports(self) -> None:
        for node, module in self._modules():
            place = self.span(node)
            line, column = self.collector.place(place.start)
            self.collector.imports.append(
                Import(line=line, column=column, symbol=place.symbol, module=module)
            )


def read(text: str, file: str, dialect: str) -> FileFacts:
    """What the file names. Raises SyntaxError when it is not of its language."""
    from pytest_housekeeping.checks.code.readers.script import builders as script_builders

    source = ScriptFile(text, file, dialect)
    source.read_imports()
    for call in source.nodes.get("call", ()):
        if (inner := tagged(call)) is not None:
            _tagged(source, call, inner)
        else:
            _sink(source, call)
    script_builders.read(source)
    for node in source.nodes.get("text", ()):
        _loose(source, node)
    if source.tree.root_node.has_error:
        _unparsed(source)
    return source.collector.reading()


def symbol(node: Node) -> str:
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


def receiver(base: Node | None) -> str:
    """The last name of what a method is called on, in small letters."""
    if base is None:
        return ""
    base = unwrapped(base)
    if base.type == "call_expression":
        return callee(base)[1].lower()
    if base.type == "member_expression":
        name = base.child_by_field_name("property")
        return words(name).lower().lstrip("_#") if name is not None else ""
    return words(base).lower().lstrip("_") if base.type == "identifier" else ""


def is_database(base: Node | None) -> bool:
    """Whether a name is what people call a database, a pool or a transaction."""
    name = receiver(base)
    return name in RECEIVERS or name.endswith(("client", "pool", "connection", "conn", "db"))


def _tagged(source: ScriptFile, call: Node, inner: Node) -> None:
    _, name = callee(call)
    if name not in TAGS:
        return
    text = template(call, source.names) or ()
    source.done.add(inner.id)
    if _is_nested(call) and not sqltext.starts_like_sql(visible(text)):
        return  # a part of the statement around it
    sink = sqltext.starts_like_sql(visible(text))
    source.collector.sql(text, source.span(inner), how=f"{name}``", sink=sink)


def _is_nested(call: Node) -> bool:
    parent = call.parent
    return parent is not None and parent.type == "template_substitution"


def _sink(source: ScriptFile, call: Node) -> None:
    base, name = callee(call)
    if name not in _SINKS or (base is None and name != "query"):
        return
    given = arguments(call)
    if not given:
        return
    sure = is_database(base) and name not in _SHARED
    if name in _SHARED and not is_database(base):
        return
    argument = given[0]
    if argument.type == "object":
        argument = next((v for k, v in pairs(argument) if k in ("text", "sql")), argument)
    if any(
        each is not None and each.type == "call_expression" and tagged(each) is not None
        for each in (argument, base)
    ):
        return
    choices = _choices(source, argument)
    for node in choices:
        text = template(node, source.names)
        asked = sure or (text is not None and sqltext.starts_like_sql(visible(text)))
        if text is not None and (asked or sqltext.read(text, sink=False)):
            source.take(node, how=f"{name}()", sink=asked)
    taken = all(node.id in source.done or _is_built(node) for node in choices)
    if sure and not taken and argument.type not in ("object", "array", "arrow_function"):
        source.collector.undecided(
            source.span(argument),
            f"{name}() of a statement that is made elsewhere:"
            f" {' '.join(words(argument).split())[:60]}",
        )


def _choices(source: ScriptFile, argument: Node) -> list[Node]:
    if argument.type == "ternary_expression":
        return [unwrapped(each) for each in argument.named_children[1:]]
    given = source.names.given(argument)
    if given and all(operation == "=" for operation, _ in given):
        nodes = [unwrapped(value) for _, value in given]
        return [
            each
            for node in nodes
            for each in (_choices(source, node) if node.type == "ternary_expression" else [node])
        ]
    return [argument]


def _is_built(node: Node) -> bool:
    """A tagged template or a chain of a query builder, which are read as such."""
    return node.type == "call_expression" and (
        tagged(node) is not None or callee(node)[1] in ("compile", "select", "insert", "update")
    )


def _loose(source: ScriptFile, node: Node) -> None:
    if node.id in source.done:
        return
    text = template(node, source.names)
    top = _whole(node)
    if top.id in source.done or text is None:
        return
    if top.id != node.id:
        source.done.add(top.id)
        text = template(top, source.names) or text
    if not _worth(text) or _is_silent(node):
        return
    source.collector.sql(text, source.span(top), how="script text", sink=False)


def _worth(text: Template) -> bool:
    plain = visible(text)
    return (
        sqltext.starts_like_sql(plain)
        or sqltext.starts_like_fragment(plain)
        or looks_like_settings(plain)
    )


def _whole(node: Node) -> Node:
    """The sum, or the join of a list, that a text is a part of."""
    at = node
    while at.parent is not None and at.parent.type in (
        "binary_expression",
        "parenthesized_expression",
    ):
        at = at.parent
    parent = at.parent
    if parent is not None and parent.type == "array" and parent.parent is not None:
        join = parent.parent
        call = join.parent if join.type == "member_expression" else None
        if call is not None and callee(call)[1] == "join":
            return call
    return at


def _is_silent(node: Node) -> bool:
    """In a log message, an error, a key, a type: nobody sends it to a database."""
    at: Node | None = node
    while at is not None:
        parent = at.parent
        if parent is None or parent.type in ("statement_block", "class_body"):
            return at.type == "expression_statement" and at.named_children[:1] == [node]
        if parent.type in _NO_TEXT and not (parent.type == "export_statement" and at is not node):
            return parent.type != "export_statement" or parent.child_by_field_name("source") == at
        if parent.type == "pair" and parent.child_by_field_name("key") == at:
            return True
        if parent.type == "subscript_expression" and parent.child_by_field_name("index") == at:
            return True
        if parent.type in ("call_expression", "new_expression"):
            base, name = callee(parent)
            if name.endswith(("Error", "Exception")) or receiver(base) in _SILENT_RECEIVERS:
                return True
        at = parent
    return False


def _unparsed(source: ScriptFile) -> None:
    """tree-sitter recovers; what it had to leave out may have named anything."""
    stack = [source.tree.root_node]
    while stack:
        node = stack.pop()
        if node.is_missing and node.type == "!":
            continue  # how the grammar reads: await sql<Row[]>`...`
        if node.type == "ERROR" or node.is_missing:
            source.collector.undecided(source.span(node), "the file does not parse from here")
            return
        stack += [child for child in reversed(node.children) if child.has_error or child.is_missing]


__all__ = ["DIALECTS", "ReferenceKind", "ScriptFile", "is_database", "read", "receiver"]
