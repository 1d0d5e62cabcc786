"""Text as Python code puts it together: constants, joins, formats and psycopg.sql."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable

from pytest_housekeeping.checks.code.readers.python.scope import Assignments, NameScope
from pytest_housekeeping.checks.code.readers.python.survey import call_name
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template, join, static_text
from pytest_housekeeping.sql.identifiers import in_quotes

# Calls and methods whose result is the text that they are given.
_KEEPERS = {"dedent", "cleandoc", "text", "SQL", "TextClause", "RawSQL", "Composed", "Query"}
_KEEPING_METHODS = {"strip", "lstrip", "rstrip", "encode", "replace"}
# Calls whose result is surely a value in a statement, and never a part of it.
_VALUE_CALLS = {"Literal", "int", "float", "len", "Placeholder", "round"}
_PERCENT = re.compile(r"%(?:\((\w+)\))?[-+ #0]*\d*(?:\.\d+)?([sdifrxq%])")
# How many names and calls deep a text is followed: a name may lead back to itself.
_DEPTH = 12


def template(node: ast.expr, scope: NameScope, depth: int = _DEPTH) -> Template | None:
    """The text that an expression makes, or None when it makes none."""
    if depth == 0:
        return None
    reader = _READERS.get(type(node))
    return reader(node, scope, depth - 1) if reader is not None else None


def static_value(node: ast.expr, scope: NameScope) -> str | None:
    """The text, when the file tells all of it; else None."""
    return static_text(template(node, scope))


def part(node: ast.expr, scope: NameScope, depth: int = _DEPTH) -> Template:
    """The text that an expression makes, or a hole in its place."""
    found = template(node, scope, depth)
    if found is not None:
        return found
    return (Hole(expression=ast.unparse(node)[:60], value=_is_value(node)),)


def _constant(node: ast.Constant, *_: object) -> Template | None:
    if isinstance(node.value, str):
        return (node.value,)
    if isinstance(node.value, bytes):
        return (node.value.decode(errors="replace"),)
    return None


def _joined(node: ast.JoinedStr, scope: NameScope, depth: int) -> Template:
    return join(*(part(value, scope, depth) for value in node.values))


def _formatted(node: ast.FormattedValue, scope: NameScope, depth: int) -> Template:
    if isinstance(node.value, ast.Constant) and not isinstance(node.value.value, str):
        return (str(node.value.value),)
    return part(node.value, scope, depth)


def _binary(node: ast.BinOp, scope: NameScope, depth: int) -> Template | None:
    if isinstance(node.op, ast.Add):
        left, right = template(node.left, scope, depth), template(node.right, scope, depth)
        if left is None and right is None:
            return None
        return join(left or part(node.left, scope, 1), right or part(node.right, scope, 1))
    if isinstance(node.op, ast.Mod):
        left = template(node.left, scope, depth)
        return None if left is None else _percent(left, node.right, scope, depth)
    return None


def _percent(left: Template, right: ast.expr, scope: NameScope, depth: int) -> Template:
    given = list(right.elts) if isinstance(right, ast.Tuple) else [right]
    keyed = {}
    if isinstance(right, ast.Dict):
        keyed = {
            key.value: value
            for key, value in zip(right.keys, right.values, strict=True)
            if isinstance(key, ast.Constant)
        }
    out: list[Template] = []
    for piece in left:
        if isinstance(piece, Hole):
            out.append((piece,))
            continue
        end = 0
        for match in _PERCENT.finditer(piece):
            out.append((piece[end : match.start()],))
            end = match.end()
            if match[2] == "%":
                out.append(("%",))
                continue
            node = keyed.get(match[1]) if match[1] else (given.pop(0) if given else None)
            # %d can be nothing but a number.
            numeric = match[2] in "dif"
            if node is None or numeric:
                out.append((Hole(expression=match[0], value=numeric),))
            else:
                out.append(part(node, scope, depth))
        out.append((piece[end:],))
    return join(*out)


def _call(node: ast.Call, scope: NameScope, depth: int) -> Template | None:
    name = call_name(node)
    if name == "Identifier":
        return _identifier(node, scope, depth)
    if name == "Placeholder":
        return ("%s",)
    if name in _KEEPERS and node.args:
        first = node.args[0]
        if name == "Composed" and isinstance(first, (ast.List, ast.Tuple)):
            return join(*(part(each, scope, depth) for each in first.elts))
        return template(first, scope, depth)
    if isinstance(node.func, ast.Attribute):
        base = template(node.func.value, scope, depth)
        if base is None:
            return None
        if name == "format":
            return _format(base, node, scope, depth)
        if name == "join" and node.args:
            return _join(base, node.args[0], scope, depth)
        if name in _KEEPING_METHODS:
            return base
    return None


def _identifier(node: ast.Call, scope: NameScope, depth: int) -> Template:
    parts = [part(argument, scope, depth) for argument in node.args]
    texts = [static_text(each) for each in parts]
    if not texts or any(text is None for text in texts):
        return (Hole(expression=ast.unparse(node)[:60]),)
    return (in_quotes(*(text or "" for text in texts)),)


def _format(base: Template, node: ast.Call, scope: NameScope, depth: int) -> Template:
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    out: list[Template] = []
    position = 0
    for piece in base:
        if isinstance(piece, Hole):
            out.append((piece,))
            continue
        try:
            fields = list(string.Formatter().parse(piece))
        except ValueError:
            return (*base, Hole(expression="format"))
        for text, name, _, _ in fields:
            out.append((text,))
            if name is None:
                continue
            # {a.b} and {a[0]} are followed no further than to a.
            key = re.split(r"[.\[]", name)[0]
            index = position if key == "" else int(key) if key.isdigit() else None
            position += key == ""
            value = given.get(key)
            if index is not None and index < len(node.args):
                value = node.args[index]
            if value is None or isinstance(value, ast.Starred) or key != name:
                out.append((Hole(expression="{" + name + "}"),))
            else:
                out.append(part(value, scope, depth))
    return join(*out)


def _join(base: Template, argument: ast.expr, scope: NameScope, depth: int) -> Template:
    items = scope.single(argument) or argument
    if not isinstance(items, (ast.List, ast.Tuple)):
        return (Hole(expression=ast.unparse(argument)[:60]),)
    out: list[Template] = []
    for number, item in enumerate(items.elts):
        out += [base] if number else []
        out.append(part(item, scope, depth))
    return join(*out)


def _name(node: ast.expr, scope: NameScope, depth: int) -> Template | None:
    assignments = scope.resolve(node)
    if assignments is None:
        return None
    if assignments.single is not None:
        return template(assignments.single, scope, depth)
    return _grown(assignments, scope, depth)


def _grown(assignments: Assignments, scope: NameScope, depth: int) -> Template | None:
    """``q = "..."`` and then only ``q += "..."``: all of it, although some may be skipped."""
    values = assignments.values
    operations = [operation for operation, _ in values]
    if not operations or operations[0] != "=" or set(operations[1:]) != {"+="}:
        return None
    if template(values[0][1], scope, depth) is None:
        return None
    return join(*(part(value, scope, depth) for _, value in values))


def _is_value(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str)
    return isinstance(node, ast.Call) and call_name(node) in _VALUE_CALLS


_READERS: dict[type, Callable[..., Template | None]] = {
    ast.Constant: _constant,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted,
    ast.BinOp: _binary,
    ast.Call: _call,
    ast.Name: _name,
    ast.Attribute: _name,
    ast.Subscript: _name,
}
