"""Columns that have one value in every row for which a condition is true."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pytest_housekeeping.checks.rls.expressions.never_true import as_text, literal_of, own_column
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parser import is_a


def fixed_columns(condition: Any, exact: Collection[str]) -> Iterator[tuple[str, str]]:
    """The columns among the ``exact`` ones, of whose type and collation no two different values are
    equal, each with its value as a text."""
    if is_a(condition, "BoolExpr") and condition.boolop == "AND_EXPR":
        for each in condition.args:
            yield from fixed_columns(each, exact)
    if not (is_a(condition, "A_Expr") and condition.kind == "AEXPR_OP"):
        return
    if names_of(condition.name) != ("=",):
        return
    for one, other in (
        (condition.lexpr, condition.rexpr),
        (condition.rexpr, condition.lexpr),
    ):
        column, value = own_column(one) or as_text(one), literal_of(other)
        if column in exact and column is not None and value is not None:
            yield column, value
