"""Policy expressions with values in the place of the parts that depend on the context alone.

Why the rewritten expression may be judged instead: a part that is replaced has the same value for
every row (see ``context_only``), so both expressions are true for the same rows. A part that raised
an error is replaced by NULL. A row for which PostgreSQL evaluates the part ends the statement; for
any other row its value makes no difference. So the rewritten expression is true at least for the
rows that pass, which is enough to prove that none does, and not that every row does. Rows pass only
where a policy is true, not NULL: https://www.postgresql.org/docs/16/sql-createpolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.disjuncts import disjuncts
from pytest_housekeeping.checks.rls.expressions.never_true import KnownRows, never_true
from pytest_housekeeping.checks.rls.expressions.readable import (
    only_readable,
    parse_condition,
    parse_expression,
)
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node, changed, is_a, mapped, walk

_MOST_ELEMENTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextPart:
    """A part of an expression that depends on no column; ``many``: the elements of ``x IN ...``."""

    text: str
    many: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PartValue:
    """What a part is in one session: a text of ``type``, or several, or NULL, or an error."""

    type: str
    text: str | None = None
    elements: tuple[str | None, ...] | None = None
    raised: str = ""


def parts_of(expression: str, context_only: ContextOnly) -> tuple[ContextPart, ...]:
    """The largest parts that depend on the context alone. Raises UnreadableExpression."""
    if expression not in context_only.parts:
        found: dict[ContextPart, None] = {}
        with only_readable():
            _Rewriter(context_only, found, None).rewrite(parse_expression(expression))
        context_only.parts[expression] = tuple(found)
    return context_only.parts[expression]


def disjuncts_of(
    expression: str,
    context_only: ContextOnly,
    values: Mapping[ContextPart, PartValue],
    rows: KnownRows,
) -> tuple[str, ...]:
    """The expression with the values put in, as disjuncts: it is true where one of them is. Those
    that are true for no row are left out.

    Raises UnreadableExpression.
    """
    used = {part: values[part] for part in parts_of(expression, context_only) if part in values}
    key = (expression, tuple(used.items()), rows)
    if key not in context_only.disjuncts:
        with only_readable():
            node = _Rewriter(context_only, {}, used).rewrite(parse_expression(expression))
            context_only.disjuncts[key] = tuple(
                printed(each) for each in disjuncts(node) if not never_true(each, rows)
            )
    return context_only.disjuncts[key]


class _Rewriter:
    """Walks an expression once. Adds its parts to ``found`` and puts in the ``values`` that are
    known; without any, the expression stays as it is."""

    def __init__(
        self,
        context_only: ContextOnly,
        found: dict[ContextPart, None],
        values: Mapping[ContextPart, PartValue] | None,
    ) -> None:
        self.context_only = context_only
        self.found = found
        self.values = values

    def rewrite(self, node: Any) -> Any:

        if isinstance(node, tuple):
            return tuple(self.rewrite(item) for item in node)
        if not isinstance(node, Node):
            return node
        if is_a(node, "RangeFunction"):
            return changed(node, functions=mapped(node.functions, self._arguments))
        replaced = self._compared_with_elements(node)
        if replaced is None:
            replaced = self._replaced(node)
        if replaced is not None:
            return replaced
        return mapped(node, self.rewrite)

    def _arguments(self, node: Node) -> Node:
        """FROM takes a call and no literal in its place, so only its arguments are rewritten."""
        if is_a(node, "FuncCall"):
            return changed(node, args=self.rewrite(node.args))
        return mapped(node, self._arguments)

    def _replaced(self, node: Any) -> Any:
        """The value of a part as a node; None where the node is no part, or its value not known."""
        if not _is_expression(node) or self.context_only.returns_rows(node):
            return None
        if not self._is_context_only(node):
            return None
        part = ContextPart(text=printed(node))
        self.found[part] = None
        if self.values is None:
            return node
        value = self.values.get(part)
        return _literal_node(value.type, value.text) if value else None

    def _is_context_only(self, node: Any) -> bool:
        """The node is computed at run time, and the same for every row of the policy's table."""
        return _is_computed(node) and not _has_outer_column(node) and self.context_only.holds(node)

    def _compared_with_elements(self, node: Any) -> Any:
        """``x = ANY (array)`` as one comparison for each element: PostgreSQL folds only these."""
        if is_a(node, "A_Expr") and node.kind in (
            "AEXPR_OP_ANY",
            "AEXPR_OP_ALL",
        ):
            operator, tested, source = node.name, node.lexpr, node.rexpr
            every = node.kind == "AEXPR_OP_ALL"
        elif is_a(node, "SubLink") and node.subLinkType in (
            "ANY_SUBLINK",
            "ALL_SUBLINK",
        ):
            operator = node.operName or (Node("String", sval="="),)
            tested, source = node.testexpr, node.subselect
            every = node.subLinkType == "ALL_SUBLINK"
        else:
            return None
        # (a, b) IN (...): the elements would be rows, whose texts do not tell their types.
        if is_a(tested, "RowExpr"):
            return None
        if not self._is_context_only(source):
            return self._null_in_array(tested, source) if not every else None
        text = printed(source)
        part = ContextPart(text=f"ARRAY({text})" if is_a(source, "SelectStmt") else text, many=True)
        self.found[part] = None
        if self.values is None:
            # Only parts are looked for: those of the left side have to be found as well.
            self.rewrite(tested)
            return node
        value = self.values.get(part)
        if value is None or (value.elements and len(value.elements) > _MOST_ELEMENTS):
            return None
        return _compare(operator, self.rewrite(tested), value, every=every)

    def _null_in_array(self, tested: Any, source: Any) -> Any:
        """``NULL = ANY (column)``: NULL, or false where the array is empty."""
        if is_a(source, "SelectStmt") or not self._is_context_only(tested):
            return None
        part = ContextPart(text=printed(tested))
        value = (self.values or {}).get(part)
        if value is None or value.text is not None:
            return None
        return parse_condition(
            f"((pg_catalog.cardinality({printed(source)}) = 0) IS FALSE AND NULL::boolean)"
        )


def _compare(operator: Any, tested: Any, value: PartValue, *, every: bool) -> Any:

    # NULL for an array that is NULL; of no elements ANY is false and ALL is true:
    # https://www.postgresql.org/docs/16/functions-comparisons.html
    if value.elements is None:
        return _literal_node("boolean", None)
    if not value.elements:
        return _literal_node("boolean", "true" if every else "false")
    compared = tuple(
        Node(
            "A_Expr",
            kind="AEXPR_OP",
            name=operator,
            lexpr=tested,
            rexpr=_literal_node(value.type, element),
        )
        for element in value.elements
    )
    if len(compared) == 1:
        return compared[0]
    operation = "AND_EXPR" if every else "OR_EXPR"
    return Node("BoolExpr", boolop=operation, args=compared)


def _literal_node(type: str, text: str | None) -> Any:
    return parse_condition(f"({literal(text)})::{type}")


def _is_expression(node: Any) -> bool:

    if is_a(node, "SubLink"):
        return node.subLinkType in (
            "EXPR_SUBLINK",
            "ARRAY_SUBLINK",
            "EXISTS_SUBLINK",
        )
    return is_a(
        node,
        "A_ArrayExpr",
        "A_Expr",
        "A_Indirection",
        "BoolExpr",
        "BooleanTest",
        "CaseExpr",
        "CoalesceExpr",
        "CollateClause",
        "FuncCall",
        "MinMaxExpr",
        "NullTest",
        "SQLValueFunction",
        "TypeCast",
    )


def _is_computed(node: Any) -> bool:

    return any(is_a(item, "FuncCall", "SQLValueFunction", "SubLink") for item in walk(node))


def _has_outer_column(node: Any) -> bool:
    """pg_get_expr prints a column of the policy's own table without the table's name, and one of a
    sub-select with its alias."""
    inner = {
        str(item.alias.aliasname)
        for item in walk(node)
        if is_a(item, "RangeFunction", "RangeSubselect") and item.alias
    }
    for item in walk(node):
        if is_a(item, "ColumnRef"):
            fields = item.fields or ()
            names = [getattr(field, "sval", None) for field in fields]
            if len(names) < 2 or names[0] not in inner:
                return True
    return False
