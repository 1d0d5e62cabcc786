"""Policy expressions with values in the place of what depends on the context alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.context_only import (
    Purity,
    below,
    children,
    names_of,
)
from pytest_housekeeping.checks.rls.expressions.disjuncts import alternatives
from pytest_housekeeping.sql.parse import printed

_MOST_ELEMENTS = 100


class Unreadable(Exception):
    """An expression that the parser does not give back as it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of an expression that depends on no column; ``many``: the elements of ``x IN ...``."""

    text: str
    many: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """What a part is in one session: a text of ``type``, or several, or NULL, or an error."""

    type: str
    text: str | None = None
    elements: tuple[str | None, ...] | None = None
    raised: str = ""


def parts_of(expression: str, purity: Purity) -> tuple[Part, ...]:
    """The largest parts that depend on the context alone. Raises Unreadable."""
    if expression not in purity.parts:
        found: dict[Part, None] = {}
        _Rewriter(purity, found, None).rewrite(_parse(expression))
        purity.parts[expression] = tuple(found)
    return purity.parts[expression]


def arms_of(expression: str, purity: Purity, values: Mapping[Part, Value]) -> tuple[str, ...]:
    """The expression with the values put in, as alternatives: it is true if one of them is."""
    used = {part: values[part] for part in parts_of(expression, purity) if part in values}
    key = (expression, tuple(used.items()))
    if key not in purity.arms:
        node = _Rewriter(purity, {}, used).rewrite(_parse(expression))
        purity.arms[key] = tuple(printed(arm) for arm in alternatives(node))
    return purity.arms[key]


def _parse(expression: str) -> Any:
    reason = _unreadable(expression)
    if reason:
        raise Unreadable(reason)
    return _condition(expression)


@lru_cache(maxsize=4096)
def _unreadable(expression: str) -> str:
    """Why an expression cannot be relied on: what is printed must read as what was parsed."""
    from pglast.parser import ParseError

    try:
        node = _condition(expression)
        return "" if _condition(printed(node)) == node else expression
    except (ParseError, NotImplementedError) as error:
        return str(error)


def _condition(text: str) -> Any:
    from pglast import parse_sql

    statement: Any = parse_sql(f"SELECT WHERE {text}")[0].stmt
    return statement.whereClause


class _Rewriter:
    """Walks an expression once: notes its parts, and puts in those whose values are known."""

    def __init__(
        self, purity: Purity, found: dict[Part, None], values: Mapping[Part, Value] | None
    ) -> None:
        self.purity = purity
        self.found = found
        self.values = values

    def rewrite(self, node: Any) -> Any:
        from pglast import ast

        if isinstance(node, tuple):
            return tuple(self.rewrite(item) for item in node)
        if not isinstance(node, ast.Node):
            return node
        if isinstance(node, ast.RangeFunction):
            for call in [each for each in below(node.functions) if isinstance(each, ast.FuncCall)]:
                call.args = self.rewrite(call.args)
            return node
        replaced = self._membership(node)
        if replaced is None:
            replaced = self._value(node)
        if replaced is not None:
            return replaced
        for slot in node:
            child = getattr(node, slot)
            if isinstance(child, tuple | ast.Node):
                setattr(node, slot, self.rewrite(child))
        return node

    def _value(self, node: Any) -> Any:
        if not _is_expression(node) or self.purity.gives_rows(node) or not self._closed(node):
            return None
        part = Part(text=printed(node))
        self.found[part] = None
        if self.values is None:
            return node
        value = self.values.get(part)
        return _literal(value.type, value.text) if value else None

    def _closed(self, node: Any) -> bool:
        return _is_dynamic(node) and not _has_outer_column(node) and self.purity.pure(node)

    def _membership(self, node: Any) -> Any:
        """``x = ANY (array)``: PostgreSQL does not fold it, its comparisons one by one it does."""
        from pglast import ast
        from pglast.enums import A_Expr_Kind, SubLinkType

        if isinstance(node, ast.A_Expr) and node.kind in (
            A_Expr_Kind.AEXPR_OP_ANY,
            A_Expr_Kind.AEXPR_OP_ALL,
        ):
            operator, tested, source = node.name, node.lexpr, node.rexpr
            every = node.kind == A_Expr_Kind.AEXPR_OP_ALL
        elif isinstance(node, ast.SubLink) and node.subLinkType in (
            SubLinkType.ANY_SUBLINK,
            SubLinkType.ALL_SUBLINK,
        ):
            operator = node.operName or (ast.String(sval="="),)
            tested, source = node.testexpr, node.subselect
            every = node.subLinkType == SubLinkType.ALL_SUBLINK
        else:
            return None
        if isinstance(tested, ast.RowExpr):
            return None
        if not self._closed(source):
            return self._nothing_in(tested, source) if not every else None
        text = printed(source)
        part = Part(
            text=f"ARRAY({text})" if isinstance(source, ast.SelectStmt) else text, many=True
        )
        self.found[part] = None
        if self.values is None:
            self.rewrite(tested)
            return node
        value = self.values.get(part)
        if value is None or (value.elements and len(value.elements) > _MOST_ELEMENTS):
            return None
        return _compare(operator, self.rewrite(tested), value, every=every)

    def _nothing_in(self, tested: Any, source: Any) -> Any:
        """``NULL = ANY (column)``: NULL, or false where the array is empty."""
        from pglast import ast

        if isinstance(source, ast.SelectStmt) or not self._closed(tested):
            return None
        part = Part(text=printed(tested))
        value = (self.values or {}).get(part)
        if value is None or value.text is not None:
            return None
        return _condition(
            f"((pg_catalog.cardinality({printed(source)}) = 0) IS FALSE AND NULL::boolean)"
        )


def _compare(operator: Any, tested: Any, value: Value, *, every: bool) -> Any:
    from pglast import ast
    from pglast.enums import A_Expr_Kind, BoolExprType

    if value.elements is None:
        return _literal("boolean", None)
    if not value.elements:
        return _literal("boolean", "true" if every else "false")
    compared = tuple(
        ast.A_Expr(
            kind=A_Expr_Kind.AEXPR_OP,
            name=operator,
            lexpr=tested,
            rexpr=_literal(value.type, element),
        )
        for element in value.elements
    )
    if len(compared) == 1:
        return compared[0]
    operation = BoolExprType.AND_EXPR if every else BoolExprType.OR_EXPR
    return ast.BoolExpr(boolop=operation, args=compared)


def _literal(type: str, text: str | None) -> Any:
    return _condition(f"({sql.Literal(text).as_string().strip()})::{type}")


def _is_expression(node: Any) -> bool:
    from pglast import ast
    from pglast.enums import SubLinkType

    if isinstance(node, ast.SubLink):
        return node.subLinkType in (
            SubLinkType.EXPR_SUBLINK,
            SubLinkType.ARRAY_SUBLINK,
            SubLinkType.EXISTS_SUBLINK,
        )
    return isinstance(
        node,
        ast.A_ArrayExpr
        | ast.A_Expr
        | ast.A_Indirection
        | ast.BoolExpr
        | ast.BooleanTest
        | ast.CaseExpr
        | ast.CoalesceExpr
        | ast.CollateClause
        | ast.FuncCall
        | ast.MinMaxExpr
        | ast.NullTest
        | ast.SQLValueFunction
        | ast.TypeCast,
    )


def _is_dynamic(node: Any) -> bool:
    from pglast import ast

    return any(
        isinstance(item, ast.FuncCall | ast.SQLValueFunction | ast.SubLink) for item in below(node)
    )


def _has_outer_column(node: Any) -> bool:
    """A column of the policy's table stands bare, one of a sub-select carries its alias: so
    pg_get_expr prints them."""
    from pglast import ast

    inner = {
        str(item.alias.aliasname)
        for item in below(node)
        if isinstance(item, ast.RangeFunction | ast.RangeSubselect) and item.alias
    }
    for item in below(node):
        if isinstance(item, ast.ColumnRef):
            fields = item.fields or ()
            names = [getattr(field, "sval", None) for field in fields]
            if len(names) < 2 or names[0] not in inner:
                return True
    return False


def settings_in(texts: Sequence[str], purity: Purity) -> Iterator[str]:
    """The custom settings that expressions and the functions below them look at."""
    for text in texts:
        try:
            parts_of(text, purity)
        except Unreadable:
            continue
    yield from sorted(purity.settings)


def calls_of(expression: str) -> tuple[tuple[str, ...], ...]:
    """The functions that stand in an expression, by name."""
    from pglast import ast

    return tuple(
        names_of(item.funcname)
        for item in below(_parse(expression))
        if isinstance(item, ast.FuncCall)
    )


@lru_cache(maxsize=4096)
def schemas_of(expression: str) -> frozenset[str]:
    """The schemas that an expression names, as it is written out."""
    from pglast import ast

    found: set[str] = set()
    stack: list[Any] = [_parse(expression)]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.RangeVar) and item.schemaname:
            found.add(str(item.schemaname))
        elif isinstance(item, ast.FuncCall | ast.TypeName):
            names = names_of(item.funcname if isinstance(item, ast.FuncCall) else item.names)
            if len(names) > 1:
                found.add(names[0])
        elif isinstance(item, ast.A_Expr) and item.name and len(item.name) > 1:
            found.add(names_of(item.name)[0])
        stack.extend(children(item))
    return frozenset(found - {"pg_catalog"})
