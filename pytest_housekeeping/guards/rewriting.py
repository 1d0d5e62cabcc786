"""Policy expressions with values in the place of what depends on the context alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import sql

from pytest_housekeeping.guards.alternatives import alternatives
from pytest_housekeeping.guards.purity import Purity, names_of
from pytest_housekeeping.sql.parser import (
    Node,
    ParseError,
    Unprintable,
    changed,
    children,
    is_a,
    mapped,
    parse,
    walk,
)
from pytest_housekeeping.statements import printed

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
        with _all_printable():
            _Rewriter(purity, found, None).rewrite(_parse(expression))
        purity.parts[expression] = tuple(found)
    return purity.parts[expression]


def arms_of(expression: str, purity: Purity, values: Mapping[Part, Value]) -> tuple[str, ...]:
    """The expression with the values put in, as alternatives: it is true if one of them is."""
    used = {part: values[part] for part in parts_of(expression, purity) if part in values}
    key = (expression, tuple(used.items()))
    if key not in purity.arms:
        with _all_printable():
            node = _Rewriter(purity, {}, used).rewrite(_parse(expression))
            purity.arms[key] = tuple(printed(arm) for arm in alternatives(node))
    return purity.arms[key]


@contextmanager
def _all_printable() -> Iterator[None]:
    try:
        yield
    except Unprintable as error:
        raise Unreadable(str(error)) from None


def _parse(expression: str) -> Any:
    reason = _unreadable(expression)
    if reason:
        raise Unreadable(reason)
    return _condition(expression)


@lru_cache(maxsize=4096)
def _unreadable(expression: str) -> str:
    """Why an expression cannot be relied on: what is printed must read as what was parsed."""
    try:
        printed(_condition(expression))
    except (ParseError, Unprintable) as error:
        return str(error)
    return ""


def _condition(text: str) -> Any:
    statement: Any = parse(f"SELECT WHERE {text}")[0].stmt
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
        if isinstance(node, tuple):
            return tuple(self.rewrite(item) for item in node)
        if not isinstance(node, Node):
            return node
        if is_a(node, "RangeFunction"):
            return changed(node, functions=mapped(node.functions, self._arguments))
        replaced = self._membership(node)
        if replaced is None:
            replaced = self._value(node)
        if replaced is not None:
            return replaced
        return mapped(node, self.rewrite)

    def _arguments(self, node: Node) -> Node:
        """A function in FROM stays, and what it is called with may be put in."""
        if is_a(node, "FuncCall"):
            return changed(node, args=self.rewrite(node.args))
        return mapped(node, self._arguments)

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
        if is_a(tested, "RowExpr"):
            return None
        if not self._closed(source):
            return self._nothing_in(tested, source) if not every else None
        text = printed(source)
        part = Part(text=f"ARRAY({text})" if is_a(source, "SelectStmt") else text, many=True)
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
        if is_a(source, "SelectStmt") or not self._closed(tested):
            return None
        part = Part(text=printed(tested))
        value = (self.values or {}).get(part)
        if value is None or value.text is not None:
            return None
        return _condition(
            f"((pg_catalog.cardinality({printed(source)}) = 0) IS FALSE AND NULL::boolean)"
        )


def _compare(operator: Any, tested: Any, value: Value, *, every: bool) -> Any:
    if value.elements is None:
        return _literal("boolean", None)
    if not value.elements:
        return _literal("boolean", "true" if every else "false")
    compared = tuple(
        Node(
            "A_Expr",
            kind="AEXPR_OP",
            name=operator,
            lexpr=tested,
            rexpr=_literal(value.type, element),
        )
        for element in value.elements
    )
    if len(compared) == 1:
        return compared[0]
    operation = "AND_EXPR" if every else "OR_EXPR"
    return Node("BoolExpr", boolop=operation, args=compared)


def _literal(type: str, text: str | None) -> Any:
    return _condition(f"({sql.Literal(text).as_string().strip()})::{type}")


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


def _is_dynamic(node: Any) -> bool:
    return any(is_a(item, "FuncCall", "SQLValueFunction", "SubLink") for item in walk(node))


def _has_outer_column(node: Any) -> bool:
    """A column of the policy's table stands bare, one of a sub-select carries its alias: so
    pg_get_expr prints them."""
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
    return tuple(
        names_of(item.funcname) for item in walk(_parse(expression)) if is_a(item, "FuncCall")
    )


@lru_cache(maxsize=4096)
def schemas_of(expression: str) -> frozenset[str]:
    """The schemas that an expression names, as it is written out."""
    found: set[str] = set()
    stack: list[Any] = [_parse(expression)]
    while stack:
        item = stack.pop()
        if is_a(item, "RangeVar") and item.schemaname:
            found.add(str(item.schemaname))
        elif is_a(item, "FuncCall", "TypeName"):
            names = names_of(item.funcname if is_a(item, "FuncCall") else item.names)
            if len(names) > 1:
                found.add(names[0])
        elif is_a(item, "A_Expr") and item.name and len(item.name) > 1:
            found.add(names_of(item.name)[0])
        stack.extend(children(item))
    return frozenset(found - {"pg_catalog"})
