"""One walk through the syntax tree of a Python file: what there is to read, and where.

Nothing is run: a name is followed to what the file itself gives it, and no further.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from pytest_housekeeping.checks.code.facts import MODULE, Import
from pytest_housekeeping.checks.code.readers.python.scope import (
    Assignments,
    NameScope,
    Operation,
)
from pytest_housekeeping.checks.code.readers.python.survey import (
    CallSite,
    ClassSite,
    Survey,
    TextSite,
    call_name,
    holds_text,
    is_mapping,
)
from pytest_housekeeping.checks.code.sqltext.search import TABLE_SETTINGS
from pytest_housekeeping.checks.code.vocabulary import vocabulary

_MESSAGE_CALLS = vocabulary(
    """
    debug info warning warn error exception critical log print fatal echo secho fail skip
    add_argument help _ gettext getLogger
    """
)
_MESSAGE_KEYWORDS = frozenset(
    {"help", "description", "message", "msg", "detail", "reason", "title"}
)
_PROFILES = frozenset(["Accept-Profile", "Content-Profile"])
_MESSAGE_CLASSES = ("Error", "Exception", "Warning")


def survey_of(tree: ast.Module) -> Survey:
    """Walk through the whole file once."""
    walk = _Walk()
    for child in tree.body:
        walk.visit(child, walk.survey.top, MODULE, False)
    return walk.survey


class _Walk:
    """A method for each kind of node that matters; of any other only the children are visited.

    Each takes the node, the names around it, the symbol around it, and whether it is a message.
    """

    def __init__(self) -> None:
        self.survey = Survey()

    def visit(self, node: ast.AST, scope: NameScope, symbol: str, message: bool) -> None:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(self, node, scope, symbol, message)
            return
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                self.visit(value, scope, symbol, message)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item, scope, symbol, message)

    def function(self, node: ast.FunctionDef, scope: NameScope, symbol: str, message: bool) -> None:
        del message
        inner = scope.inner()
        arguments = node.args
        for each in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            # Given by the caller, who is not followed: it hides a name outside all the same.
            inner.names[each.arg] = Assignments()
        defaults = (*arguments.defaults, *filter(None, arguments.kw_defaults))
        for part in (*node.decorator_list, *defaults):
            self.visit(part, scope, symbol, False)
        for statement in node.body:
            self.visit(statement, inner, _within(symbol, node.name), False)

    def class_(self, node: ast.ClassDef, scope: NameScope, symbol: str, message: bool) -> None:
        del message
        name = _within(symbol, node.name)
        self.survey.classes.append(ClassSite(node, scope, name))
        scope.owners.add(node.name)
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part, scope, symbol, False)
        inner = scope.inner()
        for statement in node.body:
            self.visit(statement, inner, name, False)
        # Seen through self or the class: an attribute of that name anywhere in the file.
        for attribute, assignments in inner.names.items():
            scope.of_attribute(attribute).values += assignments.values

    def assign(self, node: ast.AST, scope: NameScope, symbol: str, message: bool) -> None:
        value = getattr(node, "value", None)
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        operation: Operation = "+=" if isinstance(node, ast.AugAssign) else "="
        if value is not None:
            for target in targets:
                _give(target, operation, value, scope)
                if isinstance(target, ast.Attribute) and is_mapping(target.value):
                    self.survey.add_setting(target.attr, value, scope, symbol)
            self.visit(value, scope, symbol, message)
        for target in targets:
            if not isinstance(target, ast.Name):
                self.visit(target, scope, symbol, message)

    def loop(self, node: ast.For, scope: NameScope, symbol: str, message: bool) -> None:
        if isinstance(node.target, ast.Name):
            scope.of_name(node.target.id).values.append(("each", node.iter))
        else:
            _give(node.target, "?", node.iter, scope)
        self.visit(node.iter, scope, symbol, message)
        for statement in (*node.body, *node.orelse):
            self.visit(statement, scope, symbol, message)

    def comprehension(
        self, node: ast.comprehension, scope: NameScope, symbol: str, message: bool
    ) -> None:
        if isinstance(node.target, ast.Name):
            scope.of_name(node.target.id).values.append(("each", node.iter))
        for part in (node.iter, *node.ifs):
            self.visit(part, scope, symbol, message)

    def expression(self, node: ast.Expr, scope: NameScope, symbol: str, message: bool) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring, or a text nobody uses
            self.visit(node.value, scope, symbol, message)

    def constant(self, node: ast.Constant, scope: NameScope, symbol: str, message: bool) -> None:
        if isinstance(node.value, (str, bytes)):
            self.survey.add_text(node, scope, symbol, message)

    def joined(self, node: ast.JoinedStr, scope: NameScope, symbol: str, message: bool) -> None:
        self.survey.add_text(node, scope, symbol, message)
        for value in node.values:
            if isinstance(value, ast.FormattedValue) and not isinstance(value.value, ast.Name):
                self.visit(value.value, scope, symbol, message)

    def binary(self, node: ast.BinOp, scope: NameScope, symbol: str, message: bool) -> None:
        if not isinstance(node.op, (ast.Add, ast.Mod)) or not holds_text(node):
            self.visit(node.left, scope, symbol, message)
            self.visit(node.right, scope, symbol, message)
            return
        self.survey.add_text(node, scope, symbol, message)
        self._parts(node.left, scope, symbol, message)
        if isinstance(node.op, ast.Add):
            self._parts(node.right, scope, symbol, message)
        else:
            self.visit(node.right, scope, symbol, message)

    def _parts(self, node: ast.expr, scope: NameScope, symbol: str, message: bool) -> None:
        """Of a text that was noted as a whole, only what is no text itself."""
        if isinstance(node, ast.BinOp):
            self._parts(node.left, scope, symbol, message)
            self._parts(node.right, scope, symbol, message)
        elif isinstance(node, ast.JoinedStr):
            for value in node.values:
                if isinstance(value, ast.FormattedValue):
                    self.visit(value.value, scope, symbol, message)
        elif not isinstance(node, ast.Constant):
            self.visit(node, scope, symbol, message)

    def call(self, node: ast.Call, scope: NameScope, symbol: str, message: bool) -> None:
        name = call_name(node)
        self.survey.calls.append(CallSite(node, scope, symbol))
        told = message or name in _MESSAGE_CALLS or name.endswith(_MESSAGE_CLASSES)
        if name in ("format", "join") and isinstance(node.func, ast.Attribute):
            self.survey.add_text(node, scope, symbol, told)
            self._base(node.func.value, scope, symbol, told)
        else:
            self.visit(node.func, scope, symbol, message)
        for argument in node.args:
            self.visit(argument, scope, symbol, told)
        for keyword in node.keywords:
            if keyword.arg in TABLE_SETTINGS:
                self.survey.add_setting(keyword.arg, keyword.value, scope, symbol)
            named = (keyword.arg or "") in _MESSAGE_KEYWORDS
            self.visit(keyword.value, scope, symbol, told or named)

    def _base(self, node: ast.expr, scope: NameScope, symbol: str, message: bool) -> None:
        """What ``.format`` or ``.join`` is called on, also inside ``SQL(...)``."""
        if isinstance(node, ast.Call) and node.args and call_name(node) in ("SQL", "text"):
            self._parts(node.args[0], scope, symbol, message)
        else:
            self._parts(node, scope, symbol, message)

    def dictionary(self, node: ast.Dict, scope: NameScope, symbol: str, message: bool) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and not isinstance(key, ast.Constant):
                self.visit(key, scope, symbol, message)
            named = isinstance(key, ast.Constant) and key.value in _MESSAGE_KEYWORDS
            if isinstance(key, ast.Constant) and key.value in _PROFILES:
                self.survey.add_setting(str(key.value), value, scope, symbol)
            self.visit(value, scope, symbol, message or named)

    def subscript(self, node: ast.Subscript, scope: NameScope, symbol: str, message: bool) -> None:
        self.visit(node.value, scope, symbol, message)
        if isinstance(node.value, ast.Attribute) and node.value.attr == "tables":
            self.survey.add_setting("tables", node.slice, scope, symbol)
        if not isinstance(node.slice, ast.Constant):
            self.visit(node.slice, scope, symbol, message)

    def import_(self, node: ast.Import, scope: NameScope, symbol: str, message: bool) -> None:
        del scope, message
        for alias in node.names:
            package = alias.name.partition(".")[0]
            self.survey.packages.add(package)
            self.survey.origins[alias.asname or package] = alias.name
            self._add_import(node, symbol, alias.name)

    def import_from(
        self, node: ast.ImportFrom, scope: NameScope, symbol: str, message: bool
    ) -> None:
        del scope, message
        module = node.module or ""
        if not node.level:
            self.survey.packages.add(module.partition(".")[0])
        names = tuple(alias.name for alias in node.names)
        for alias in node.names:
            self.survey.origins[alias.asname or alias.name] = f"{module}.{alias.name}"
        self._add_import(node, symbol, module, names, node.level)

    def list_(self, node: ast.List, scope: NameScope, symbol: str, message: bool) -> None:
        self.survey.lists.append(TextSite(node, scope, symbol, message))
        for item in node.elts:
            self.visit(item, scope, symbol, message)

    def _add_import(
        self,
        node: ast.stmt,
        symbol: str,
        module: str,
        names: tuple[str, ...] = (),
        level: int = 0,
    ) -> None:
        line, column = node.lineno, node.col_offset + 1
        self.survey.imports.append(
            Import(line=line, column=column, symbol=symbol, module=module, names=names, level=level)
        )


def _within(symbol: str, name: str) -> str:
    return name if symbol == MODULE else f"{symbol}.{name}"


def _give(target: ast.AST | None, operation: Operation, value: ast.expr, scope: NameScope) -> None:
    """Note what a target is given; of a tuple each part by itself, where both sides are one."""
    if isinstance(target, ast.Name):
        scope.of_name(target.id).values.append((operation, value))
    elif isinstance(target, ast.Attribute):
        scope.of_attribute(target.attr).values.append((operation, value))
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        for number, each in enumerate(target.elts):
            given = values[number] if number < len(values) else value
            _give(each, operation if values else "?", given, scope)


def _leaf(walk: _Walk, node: ast.AST, scope: NameScope, symbol: str, message: bool) -> None:
    """Nothing stands below it."""


_HANDLERS: dict[type, Callable[..., None]] = {
    ast.FunctionDef: _Walk.function,
    ast.AsyncFunctionDef: _Walk.function,
    ast.ClassDef: _Walk.class_,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.assign,
    ast.AugAssign: _Walk.assign,
    ast.NamedExpr: _Walk.assign,
    ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop,
    ast.comprehension: _Walk.comprehension,
    ast.Expr: _Walk.expression,
    ast.Constant: _Walk.constant,
    ast.JoinedStr: _Walk.joined,
    ast.BinOp: _Walk.binary,
    ast.Call: _Walk.call,
    ast.Dict: _Walk.dictionary,
    ast.List: _Walk.list_,
    ast.Subscript: _Walk.subscript,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.Name: _leaf,
    ast.Pass: _leaf,
}
