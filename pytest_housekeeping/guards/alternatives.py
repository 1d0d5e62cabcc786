"""Alternatives of a condition, each to be judged alone: more folds of what stands alone."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from pytest_housekeeping.sql.parser import Node, is_a

_MOST_ARMS = 32


def alternatives(node: Any) -> list[Any]:
    """Alternatives, each to be judged alone: the planner folds more of what stands alone."""

    if is_a(node, "CaseExpr") and node.arg is None:
        return _cases(node)
    if not is_a(node, "BoolExpr"):
        return [node]
    if node.boolop == "OR_EXPR":
        return [arm for each in node.args or () for arm in alternatives(each)]
    if node.boolop == "AND_EXPR":
        choices = [alternatives(each) for each in node.args or ()]
        if 1 < prod(len(each) for each in choices) <= _MOST_ARMS:
            return [
                Node("BoolExpr", boolop="AND_EXPR", args=tuple(chosen))
                for chosen in product(*choices)
            ]
    return [node]


def _cases(node: Any) -> list[Any]:
    """``CASE`` as alternatives: each result, where its condition holds and no earlier one does."""

    found: list[Any] = []
    before: list[Any] = []
    for when in node.args or ():
        found.append((*before, when.expr, when.result))
        before.append(Node("BooleanTest", arg=when.expr, booltesttype="IS_NOT_TRUE"))
    if node.defresult is not None:
        found.append((*before, node.defresult))
    return [
        arm
        for each in found
        for arm in alternatives(Node("BoolExpr", boolop="AND_EXPR", args=each))
    ]
