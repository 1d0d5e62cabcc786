"""Alternatives of a condition, each to be judged alone: more folds of what stands alone."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

_MOST_ARMS = 32


def alternatives(node: Any) -> list[Any]:
    """Alternatives, each to be judged alone: the planner folds more of what stands alone."""
    from pglast import ast
    from pglast.enums import BoolExprType

    if isinstance(node, ast.CaseExpr) and node.arg is None:
        return _cases(node)
    if not isinstance(node, ast.BoolExpr):
        return [node]
    if node.boolop == BoolExprType.OR_EXPR:
        return [arm for each in node.args or () for arm in alternatives(each)]
    if node.boolop == BoolExprType.AND_EXPR:
        choices = [alternatives(each) for each in node.args or ()]
        if 1 < prod(len(each) for each in choices) <= _MOST_ARMS:
            return [
                ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tuple(chosen))
                for chosen in product(*choices)
            ]
    return [node]


def _cases(node: Any) -> list[Any]:
    """``CASE`` as alternatives: each result, where its condition holds and no earlier one does."""
    from pglast import ast
    from pglast.enums import BoolExprType, BoolTestType

    found: list[Any] = []
    before: list[Any] = []
    for when in node.args or ():
        found.append((*before, when.expr, when.result))
        before.append(ast.BooleanTest(arg=when.expr, booltesttype=BoolTestType.IS_NOT_TRUE))
    if node.defresult is not None:
        found.append((*before, node.defresult))
    return [
        arm
        for each in found
        for arm in alternatives(ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=each))
    ]
