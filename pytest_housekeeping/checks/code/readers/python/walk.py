"""References out of a Python file, by its syntax tree."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_housekeeping.checks.code.facts import FileFacts, Import
from pytest_housekeeping.checks.code.readers.python.text import Assignments, NameScope, call_name
from pytest_housekeeping.checks.code.sqltext.collector import MODULE, Collector, Span
from pytest_housekeeping.checks.code.vocabulary import vocabulary

_SILENT_CALLS = vocabulary(
    """
    debug info warning warn error exception critical log print fatal echo secho fail skip
    add_argument help _ gettext getLogger
    """
)
_SILENT_KEYWORDS = frozenset({"help", "description", "message", "msg", "detail", "reason", "title"})
_POSTGRES = vocabulary(
    """
    psycopg psycopg2 asyncpg sqlalchemy django pg8000 aiopg databases sqlmodel peewee pandas
    psycopg_pool alembic tortoise pony records polars
    """
)
_OTHERS = vocabulary(
    """
    sqlite3 aiosqlite pymysql MySQLdb mysql aiomysql duckdb clickhouse_driver clickhouse_connect
    snowflake cx_Oracle oracledb pyodbc pymssql cassandra trino pyspark bigquery
    """
)


@dataclass(slots=True)
class Site:
    """A node worth looking at, with the scope and the symbol around it."""

    node: ast.expr
    scope: NameScope
    symbol: str
    silent: bool = False


@dataclass(slots=True)
class Survey:
    """One walk through a file: calls, texts and classes, and what names were given."""

    calls: list[Site] = field(default_factory=list)
    texts: list[Site] = field(default_factory=list)
    classes: list[tuple[ast.ClassDef, NameScope, str]] = field(default_factory=list)
    top: NameScope = field(default_factory=NameScope)
    imports: list[Import] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)
    symbols: dict[int, str] = field(default_factory=dict)


def read(text: str, file: str) -> FileFacts:
    """Raises SyntaxError or ValueError for what is no Python."""
    from pytest_housekeeping.checks.code.readers.python import (
        calls as python_calls,
    )
    from pytest_housekeeping.checks.code.readers.python import (
        orm as python_orm,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    walk = _Walk()
    walk.body(tree, walk.survey.top, MODULE)
    survey = walk.survey
    survey.symbols = {id(site.node): site.symbol for site in survey.texts}
    others = bool(survey.roots & _OTHERS)
    collector = Collector(file, text, foreign=others and not survey.roots & _POSTGRES)
    collector.imports = survey.imports
    database = bool(survey.roots & (_POSTGRES | _OTHERS))
    python_orm.read(survey, collector)
    trusted = python_calls.read(survey, collector, database=database)
    for site in survey.texts:
        if id(site.node) not in trusted and not site.silent:
            python_calls.take(site, collector, how="python text", sink=False)
    return collector.reading()


def span(collector: Collector, node: ast.expr | ast.stmt, symbol: str) -> Span:
    """Where a node stands in the file."""
    end_line = node.end_lineno or node.lineno
    return Span(
        collector.offset(node.lineno, node.col_offset),
        collector.offset(end_line, node.end_col_offset or 0),
        symbol,
    )


class _Walk:
    def __init__(self) -> None:
        self.survey = Survey()

    def body(self, node: ast.AST, scope: NameScope, symbol: str) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope, symbol, False)

    def visit(self, node: ast.AST, scope: NameScope, symbol: str, silent: bool) -> None:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(self, node, scope, symbol, silent)
            return
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                self.visit(value, scope, symbol, silent)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item, scope, symbol, silent)

    def function(self, node: ast.FunctionDef, scope: NameScope, symbol: str, silent: bool) -> None:
        del silent
        inner = self._inner(scope)
        arguments = node.args
        for each in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            inner.names[each.arg] = Assignments()
        for part in (
            *node.decorator_list,
            *arguments.defaults,
            *filter(None, arguments.kw_defaults),
        ):
            self.visit(part, scope, symbol, False)
        name = node.name if symbol == MODULE else f"{symbol}.{node.name}"
        for statement in node.body:
            self.visit(statement, inner, name, False)

    def _inner(self, scope: NameScope) -> NameScope:
        top = self.survey.top
        return NameScope(outer=scope, attributes=top.attributes, owners=top.owners)

    def klass(self, node: ast.ClassDef, scope: NameScope, symbol: str, silent: bool) -> None:
        del silent
        name = node.name if symbol == MODULE else f"{symbol}.{node.name}"
        self.survey.classes.append((node, scope, name))
        self.survey.top.owners.add(node.name)
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part, scope, symbol, False)
        inner = self._inner(scope)
        for statement in node.body:
            self.visit(statement, inner, name, False)
        # Seen through self or the class: an attribute of that name anywhere in the file.
        for attribute, assigned in inner.names.items():
            known = self.survey.top.attributes.setdefault(attribute, Assignments())
            known.values += assigned.values

    def assign(self, node: ast.AST, scope: NameScope, symbol: str, silent: bool) -> None:
        value = getattr(node, "value", None)
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        operation = "+=" if isinstance(node, ast.AugAssign) else "="
        if value is not None:
            for target in targets:
                self._give(target, operation, value, scope)
            self.visit(value, scope, symbol, silent)
        for target in targets:
            if not isinstance(target, ast.Name):
                self.visit(target, scope, symbol, silent)

    def _give(
        self, target: ast.AST | None, operation: str, value: ast.expr, scope: NameScope
    ) -> None:
        if isinstance(target, ast.Name):
            scope.names.setdefault(target.id, Assignments()).values.append((operation, value))
        elif isinstance(target, ast.Attribute):
            known = self.survey.top.attributes.setdefault(target.attr, Assignments())
            known.values.append((operation, value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            for number, each in enumerate(target.elts):
                given = values[number] if number < len(values) else value
                self._give(each, operation if values else "?", given, scope)

    def loop(self, node: ast.For, scope: NameScope, symbol: str, silent: bool) -> None:
        if isinstance(node.target, ast.Name):
            assigned = scope.names.setdefault(node.target.id, Assignments())
            assigned.values.append(("each", node.iter))
        else:
            self._give(node.target, "?", node.iter, scope)
        self.visit(node.iter, scope, symbol, silent)
        for statement in (*node.body, *node.orelse):
            self.visit(statement, scope, symbol, silent)

    def comprehension(
        self, node: ast.comprehension, scope: NameScope, symbol: str, silent: bool
    ) -> None:
        if isinstance(node.target, ast.Name):
            assigned = scope.names.setdefault(node.target.id, Assignments())
            assigned.values.append(("each", node.iter))
        for part in (node.iter, *node.ifs):
            self.visit(part, scope, symbol, silent)

    def expression(self, node: ast.Expr, scope: NameScope, symbol: str, silent: bool) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring, or a text nobody uses
            self.visit(node.value, scope, symbol, silent)

    def text(self, node: ast.expr, scope: NameScope, symbol: str, silent: bool) -> None:
        if not isinstance(node, ast.Constant) or isinstance(node.value, (str, bytes)):
            self.survey.texts.append(Site(node, scope, symbol, silent))

    def joined(self, node: ast.JoinedStr, scope: NameScope, symbol: str, silent: bool) -> None:
        self.survey.texts.append(Site(node, scope, symbol, silent))
        for value in node.values:
            if isinstance(value, ast.FormattedValue) and not isinstance(value.value, ast.Name):
                self.visit(value.value, scope, symbol, silent)

    def binary(self, node: ast.BinOp, scope: NameScope, symbol: str, silent: bool) -> None:
        if not isinstance(node.op, (ast.Add, ast.Mod)) or not _holds_text(node):
            self.visit(node.left, scope, symbol, silent)
            self.visit(node.right, scope, symbol, silent)
            return
        self.survey.texts.append(Site(node, scope, symbol, silent))
        self._parts(node.left, scope, symbol, silent)
        if isinstance(node.op, ast.Add):
            self._parts(node.right, scope, symbol, silent)
        else:
            self.visit(node.right, scope, symbol, silent)

    def _parts(self, node: ast.expr, scope: NameScope, symbol: str, silent: bool) -> None:
        """Of a text that was noted as a whole, only what is no text itself."""
        if isinstance(node, ast.BinOp):
            self._parts(node.left, scope, symbol, silent)
            self._parts(node.right, scope, symbol, silent)
        elif isinstance(node, ast.JoinedStr):
            for value in node.values:
                if isinstance(value, ast.FormattedValue):
                    self.visit(value.value, scope, symbol, silent)
        elif not isinstance(node, ast.Constant):
            self.visit(node, scope, symbol, silent)

    def call(self, node: ast.Call, scope: NameScope, symbol: str, silent: bool) -> None:
        name = call_name(node)
        self.survey.calls.append(Site(node, scope, symbol, silent))
        quiet = silent or name in _SILENT_CALLS or name.endswith(("Error", "Exception", "Warning"))
        if name in ("format", "join") and isinstance(node.func, ast.Attribute):
            self.survey.texts.append(Site(node, scope, symbol, quiet))
            self._base(node.func.value, scope, symbol, quiet)
        else:
            self.visit(node.func, scope, symbol, silent)
        for argument in node.args:
            self.visit(argument, scope, symbol, quiet)
        for keyword in node.keywords:
            self.visit(
                keyword.value, scope, symbol, quiet or (keyword.arg or "") in _SILENT_KEYWORDS
            )

    def _base(self, node: ast.expr, scope: NameScope, symbol: str, silent: bool) -> None:
        if isinstance(node, ast.Call) and node.args and call_name(node) in ("SQL", "text"):
            self._parts(node.args[0], scope, symbol, silent)
        else:
            self._parts(node, scope, symbol, silent)

    def dictionary(self, node: ast.Dict, scope: NameScope, symbol: str, silent: bool) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and not isinstance(key, ast.Constant):
                self.visit(key, scope, symbol, silent)
            named = isinstance(key, ast.Constant) and key.value in _SILENT_KEYWORDS
            self.visit(value, scope, symbol, silent or named)

    def subscript(self, node: ast.Subscript, scope: NameScope, symbol: str, silent: bool) -> None:
        self.visit(node.value, scope, symbol, silent)
        if not isinstance(node.slice, ast.Constant):
            self.visit(node.slice, scope, symbol, silent)

    def importing(self, node: ast.Import, scope: NameScope, symbol: str, silent: bool) -> None:
        del scope, silent
        for alias in node.names:
            self.survey.roots.add(alias.name.partition(".")[0])
            self.survey.origins[alias.asname or alias.name.partition(".")[0]] = alias.name
            self.survey.imports.append(
                Import(
                    line=node.lineno, column=node.col_offset + 1, symbol=symbol, module=alias.name
                )
            )

    def importing_from(
        self, node: ast.ImportFrom, scope: NameScope, symbol: str, silent: bool
    ) -> None:
        del scope, silent
        module = node.module or ""
        if not node.level:
            self.survey.roots.add(module.partition(".")[0])
        for alias in node.names:
            self.survey.origins[alias.asname or alias.name] = f"{module}.{alias.name}"
        self.survey.imports.append(
            Import(
                line=node.lineno,
                column=node.col_offset + 1,
                symbol=symbol,
                module=module,
                names=tuple(alias.name for alias in node.names),
                level=node.level,
            )
        )


def _holds_text(node: ast.expr) -> bool:
    """Whether a sum has a text among its terms."""
    if isinstance(node, ast.BinOp):
        return _holds_text(node.left) or _holds_text(node.right)
    if isinstance(node, ast.Call):
        return call_name(node) in ("SQL", "format", "join")
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _nothing(walk: _Walk, node: ast.AST, scope: NameScope, symbol: str, silent: bool) -> None:
    """A leaf."""


_HANDLERS: dict[type, Callable[..., None]] = {
    ast.FunctionDef: _Walk.function,
    ast.AsyncFunctionDef: _Walk.function,
    ast.ClassDef: _Walk.klass,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.assign,
    ast.AugAssign: _Walk.assign,
    ast.NamedExpr: _Walk.assign,
    ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop,
    ast.comprehension: _Walk.comprehension,
    ast.Expr: _Walk.expression,
    ast.Constant: _Walk.text,
    ast.JoinedStr: _Walk.joined,
    ast.BinOp: _Walk.binary,
    ast.Call: _Walk.call,
    ast.Dict: _Walk.dictionary,
    ast.Subscript: _Walk.subscript,
    ast.Import: _Walk.importing,
    ast.ImportFrom: _Walk.importing_from,
    ast.Name: _nothing,
    ast.Pass: _nothing,
}
