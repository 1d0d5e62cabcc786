"""A condition as disjuncts, to be judged one by one: the planner folds more of each alone."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

_MOST_DISJUNCTS = 32


def disjuncts(node: Any) -> list[Any]:
    """Conditions of which one is true wherever the given one is; itself where there are none."""
    from pglast import ast
    from pglast.enums import BoolExprType

    if isinstance(node, ast.CaseExpr) and node.arg is None:
        return _cases(node)
    if not isinstance(node, ast.BoolExpr):
        return [node]
    if node.boolop == BoolExprType.OR_EXPR:
        return [disjunct for each in node.args or () for disjunct in disjuncts(each)]
    if node.boolop == BoolExprType.AND_EXPR:
        choices = [disjuncts(each) for each in node.args or ()]
        if 1 < prod(len(each) for each in choices) <= _MOST_DISJUNCTS:
            return [
                ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tuple(chosen))
                for chosen in product(*choices)
            ]
    return [node]


def _cases(node: Any) -> list[Any]:
    """``CASE`` as disjuncts: each result, where its condition is true and no earlier one is."""
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
        disjunct
        for each in found
        for disjunct in disjuncts(ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=each))
    ]
