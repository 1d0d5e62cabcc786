"""Parentheses that libpg_query's printer forgets, as around the condition of ``(a OR b) IS NULL``.

A tree has no node for parentheses. So an operand is printed by itself, and put, in parentheses, in
the place of a name that stood for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pytest_housekeeping.sql.parser.node import Node, changed, fields, is_a, mapped

# Where an operator, of whatever kind, has its operands.
_OPERANDS = {
    "A_Expr": ("lexpr", "rexpr"),
    "A_Indirection": ("arg",),
    "BoolExpr": ("args",),
    "BooleanTest": ("arg",),
    "CollateClause": ("arg",),
    "JsonIsPredicate": ("expr",),
    "NullTest": ("arg",),
    "SubLink": ("testexpr",),
    "TypeCast": ("arg",),
}
_OPERATORS = (*_OPERANDS, "CaseExpr")
# Written as an operator, such as AT TIME ZONE.
_SYNTAX = "COERCE_SQL_SYNTAX"
# It is in parentheses by itself, and ANY ((SELECT ...)) would be another thing.
_ENCLOSED = ("EXISTS_SUBLINK", "EXPR_SUBLINK", "ARRAY_SUBLINK")


def enclosed(statement: Node, printed: Callable[[Node], str]) -> str:
    """A statement with parentheses around all that is an operand and has some of its own."""
    name = "hk_operand"
    while name in repr(statement):
        name += "_"
    return _enclosed(statement, printed, name)


def _enclosed(statement: Node, printed: Callable[[Node], str], name: str) -> str:
    texts: list[str] = []

    def held(operand: Node) -> Node:
        if not _is_operator(operand):
            return below(operand)
        target = Node("ResTarget", val=operand)
        alone = _enclosed(Node("SelectStmt", targetList=(target,)), printed, name)
        texts.append(f"({alone.removeprefix('SELECT ')})")
        return Node("ColumnRef", fields=(Node("String", sval=f"{name}{len(texts) - 1}"),))

    def below(node: Node) -> Node:
        operands = _operands(node)
        values = {
            field: _changed(value, held if field in operands else below)
            for field, value in fields(node)
        }
        return changed(node, **values)

    text = printed(below(statement))
    return re.sub(rf"{name}(\d+)", lambda found: texts[int(found[1])], text)


def _changed(value: Any, change: Callable[[Node], Node]) -> Any:
    if isinstance(value, Node):
        return change(value)
    return mapped(value, change) if isinstance(value, tuple) else value


def _operands(node: Node) -> tuple[str, ...]:
    if is_a(node, "FuncCall"):
        return ("args",) if node.funcformat == _SYNTAX else ()
    return _OPERANDS.get(node.tag, ())


def _is_operator(node: Node) -> bool:
    if is_a(node, "SubLink"):
        return node.subLinkType not in _ENCLOSED
    if is_a(node, "A_Const"):
        number = getattr(node.val, "ival", 0) or getattr(node.val, "fval", "")
        return str(number).startswith("-")
    if is_a(node, "FuncCall"):
        return bool(node.funcformat == _SYNTAX)
    return node.tag in _OPERATORS


def flat(item: Any) -> Any:
    """A tree in which ``a AND (b AND c)`` is ``a AND b AND c``; for OR the same."""
    item = mapped(item, flat)
    if not is_a(item, "BoolExpr") or item.boolop == "NOT_EXPR":
        return item
    args: list[Node] = []
    for each in item.args:
        same = is_a(each, "BoolExpr") and each.boolop == item.boolop
        args.extend(each.args if same else (each,))
    return changed(item, args=tuple(args))
