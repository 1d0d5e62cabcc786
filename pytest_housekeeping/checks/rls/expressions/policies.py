"""What a table's policies compare with the context, read with PostgreSQL's own parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node, ParseError, children, is_a, parse, walk

_Relation: TypeAlias = tuple[str, str]
_Names: TypeAlias = Mapping[str, _Relation]
_NAMELESS: _Relation = ("", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextComparison:
    """A policy compares a column with ``expression``, which names no column and is computed at run
    time, as ``current_setting(...)`` is."""

    schema: str
    table: str
    column: str
    expression: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnLink:
    """A policy compares two columns: rows that belong together have the same value in both."""

    one: tuple[_Relation, str]
    other: tuple[_Relation, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyReading:
    """What a table's policies look at: comparisons with the context and with other columns, and
    every column of the table itself; ``unread`` are expressions that could not be parsed."""

    comparisons: tuple[ContextComparison, ...]
    columns: tuple[str, ...]
    links: tuple[ColumnLink, ...] = ()
    unread: tuple[str, ...] = ()


def read_policies(table: ProtectedTable) -> PolicyReading:
    """Parse the expressions of a table's policies; the same ones are parsed once."""
    return _read(table.schema, table.name, table.expressions)


@lru_cache(maxsize=10_000)
def _read(schema: str, name: str, expressions: tuple[str, ...]) -> PolicyReading:
    """What many tables say alike is read of a table without a name, and then told of each."""
    if any(may_name(expression, name) for expression in expressions):
        return _read_of((schema, name), expressions)
    read = _read_of(_NAMELESS, expressions)
    if read.links:
        return _read_of((schema, name), expressions)
    return replace(
        read,
        comparisons=tuple(
            replace(each, schema=schema, table=name)
            if (each.schema, each.table) == _NAMELESS
            else each
            for each in read.comparisons
        ),
    )


@lru_cache(maxsize=10_000)
def _read_of(table: _Relation, expressions: tuple[str, ...]) -> PolicyReading:
    comparisons: dict[ContextComparison, None] = {}
    columns: dict[str, None] = {}
    links: dict[ColumnLink, None] = {}
    unread = []
    for expression in expressions:
        try:
            statement = parse(f"SELECT WHERE {expression}")[0].stmt
        except ParseError:
            unread.append(expression)
            continue
        condition = getattr(statement, "whereClause", None)
        for found in _walk(condition, {table[1]: table}):
            if isinstance(found, ContextComparison):
                comparisons[found] = None
            elif isinstance(found, ColumnLink):
                links[found] = None
            elif found[0] == table:
                columns[found[1]] = None
    return PolicyReading(
        comparisons=tuple(comparisons),
        columns=tuple(columns),
        links=tuple(links),
        unread=tuple(unread),
    )


def _walk(
    node: Any, names: _Names
) -> Iterator[ContextComparison | ColumnLink | tuple[_Relation, str]]:
    """Comparisons and columns below a node; ``names`` are the relations in sight, the policy's own
    table first.

    pg_get_expr prints a column of that table without the table's name, and one of a sub-select with
    its alias.
    """

    if isinstance(node, tuple):
        for item in node:
            yield from _walk(item, names)
        return
    if not isinstance(node, Node):
        return
    if is_a(node, "SelectStmt"):
        names = {**names, **dict(_aliases(node.fromClause))}
    if is_a(node, "ColumnRef"):
        resolved = _resolve(node, names)
        if resolved:
            yield resolved
        return
    yield from _comparisons(node, names)
    for child in children(node):
        yield from _walk(child, names)


def _comparisons(node: Node, names: _Names) -> Iterator[ContextComparison | ColumnLink]:
    for column, other in _sides(node):
        resolved = _resolve(column, names)
        if resolved and not _has_column(other) and _is_computed(other):
            (schema, table), name = resolved
            yield ContextComparison(
                schema=schema, table=table, column=name, expression=_print(other)
            )
    link = _link(node, names)
    if link is not None:
        yield link


def _link(node: Node, names: _Names) -> ColumnLink | None:
    """``a.x = b.y``, or ``x IN (SELECT b.y FROM ...)``."""

    sides: tuple[Any, Any] = (None, None)
    if is_a(node, "A_Expr") and node.kind == "AEXPR_OP":
        if node.name and node.name[-1].sval == "=":
            sides = (node.lexpr, node.rexpr)
    elif is_a(node, "SubLink") and node.subLinkType == "ANY_SUBLINK":
        select = node.subselect
        # IN compares with the first, and only, column that the sub-select returns.
        if is_a(select, "SelectStmt") and select.targetList:
            sides = (node.testexpr, select.targetList[0].val)
            names = {**names, **dict(_aliases(select.fromClause))}
    one, other = (_column(side) for side in sides)
    if one is None or other is None:
        return None
    ends = _resolve(one, names), _resolve(other, names)
    if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
        return None
    return ColumnLink(one=ends[0], other=ends[1])


def _sides(node: Node) -> Iterator[tuple[Node, Any]]:
    """Columns that a node compares by equality, each with what it is compared with."""

    if is_a(node, "A_Expr") and node.kind in (
        "AEXPR_OP",
        "AEXPR_OP_ANY",
        "AEXPR_NOT_DISTINCT",
    ):
        if not node.name or node.name[-1].sval != "=":
            return
        left, right = _column(node.lexpr), _column(node.rexpr)
        if left is not None:
            yield left, node.rexpr
        if right is not None:
            yield right, node.lexpr
    elif is_a(node, "SubLink") and node.subLinkType == "ANY_SUBLINK":
        column = _column(node.testexpr)
        if column is not None:
            yield column, node.subselect


def _column(node: Any) -> Node | None:
    """The column that a node is, below any casts."""

    while is_a(node, "TypeCast"):
        node = node.arg
    return node if is_a(node, "ColumnRef") else None


def _aliases(items: Any) -> Iterator[tuple[str, _Relation]]:

    # Functions and sub-selects in FROM are left out: their columns belong to no table.
    for item in items or ():
        if is_a(item, "RangeVar"):
            name = str(item.relname)
            alias = str(item.alias.aliasname) if item.alias else name
            yield alias, (item.schemaname or "", name)
        elif is_a(item, "JoinExpr"):
            yield from _aliases((item.larg, item.rarg))


def _resolve(column: Node, names: _Names) -> tuple[_Relation, str] | None:
    parts = [getattr(field, "sval", None) for field in column.fields or ()]
    if not parts or None in parts:
        return None
    if len(parts) == 1:
        # Without a qualifier it belongs to the policy's own table, which was put in first.
        return next(iter(names.values())), str(parts[0])
    relation = names.get(str(parts[-2]))
    return (relation, str(parts[-1])) if relation else None


def _has_column(node: Any) -> bool:

    return any(is_a(item, "ColumnRef") for item in walk(node))


def _is_computed(node: Any) -> bool:

    return any(is_a(item, "FuncCall", "SQLValueFunction") for item in walk(node))


def _print(node: Node) -> str:
    """The node as an expression; a sub-select as the array of what it returns."""

    text = printed(node)
    return (
        f"(SELECT pg_catalog.array_agg(q) FROM ({text}) AS q)" if is_a(node, "SelectStmt") else text
    )
