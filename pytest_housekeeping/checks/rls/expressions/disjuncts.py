"""A condition as disjuncts, to be judged one by one: the planner folds more of each alone."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from pytest_housekeeping.sql.parser import Node, is_a

_MOST_DISJUNCTS = 32


def disjuncts(node: Any) -> list[Any]:
    """Conditions of which one is true wherever the given one is; itself where there are none."""
    if is_a(node, "CaseExpr") and node.arg is None:
        return _cases(node)
    if not is_a(node, "BoolExpr"):
        return [node]
    if node.boolop == "OR_EXPR":
        return [disjunct for each in node.args or () for disjunct in disjuncts(each)]
    if node.boolop == "AND_EXPR":
        choices = [disjuncts(each) for each in node.args or ()]
        if 1 < prod(len(each) for each in choices) <= _MOST_DISJUNCTS:
            return [
                Node("BoolExpr", boolop="AND_EXPR", args=tuple(chosen))
                for chosen in product(*choices)
            ]
    return [node]


def _cases(node: Any) -> list[Any]:
    """``CASE`` as disjuncts: each result, where its condition is true and no earlier one is."""
    found: list[Any] = []
    before: list[Any] = []
    for when in node.args or ():
        found.append((*before, when.expr, when.result))
        before.append(Node("BooleanTest", arg=when.expr, booltesttype="IS_NOT_TRUE"))
    if node.defresult is not None:
        found.append((*before, node.defresult))
    return [
        disjunct
        for each in found
        for disjunct in disjuncts(Node("BoolExpr", boolop="AND_EXPR", args=each))
    ]
