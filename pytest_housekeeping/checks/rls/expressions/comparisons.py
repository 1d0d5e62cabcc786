"""Walk the tree of a policy, and of the functions that it calls, for what it compares.

Rows and identities are made up from what is found here; a policy is judged by what a role can do
with them, so what is overlooked here proves nothing and hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from pytest_housekeeping.checks.rls.expressions.called import Called, Functions, called_queries
from pytest_housekeeping.checks.rls.expressions.policy_reading import (
    Column,
    ColumnConstant,
    ColumnLink,
    ContextComparison,
    ContextConstant,
    Relation,
)
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parse import printed
from pytest_housekeeping.sql.parser import Node, changed, children, is_a, mapped, walk

Found: TypeAlias = (
    ContextComparison | ContextConstant | ColumnConstant | ColumnLink | Relation | Column
)

# A name in a function's body that stands for no column: a variable.
NOWHERE: Relation = ("", "?")
_DEEPEST = 4
_COMPARE = ("AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_NOT_DISTINCT", "AEXPR_DISTINCT")
_POSITIVE = ("AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_NOT_DISTINCT")
# What stands for any value, where a policy asks that there be one: also a uuid, else a number.
_ANYTHING = ("00000000-0000-4000-8000-000000000001", "1")
# Whose result is one of its argument's.
_PASSES_ON = frozenset({"array_agg", "unnest", "max", "min"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The relations in sight by the names that they have, and the one whose columns need no name.

    pg_get_expr prints a column of the policy's own table without the table's name, and one of a
    sub-select with its alias; in a function's body it may stand without any.
    """

    bare: Relation
    functions: Functions
    names: Mapping[str, Relation] = field(default_factory=dict)
    path: str = ""
    is_body: bool = False
    depth: int = 0

    def inside(self, select: Any) -> Scope:
        """The scope below a SELECT."""
        found = dict(_aliases(select.fromClause, self.path))
        bare = next(iter(found.values())) if self.is_body and found else self.bare
        return replace(self, names={**self.names, **found}, bare=bare)


def comparisons_in(node: Any, scope: Scope) -> Iterator[Found]:
    """Comparisons, columns and relations below a node."""
    if isinstance(node, tuple):
        for item in node:
            yield from comparisons_in(item, scope)
    elif is_a(node, "ColumnRef"):
        yield from filter(None, [_resolve(node, scope)])
    elif isinstance(node, Node):
        if is_a(node, "SelectStmt"):
            scope = scope.inside(node)
            yield from (relation for _, relation in _aliases(node.fromClause, scope.path))
        yield from _found_at(node, scope)
        negated = is_a(node, "BoolExpr") and node.boolop == "NOT_EXPR"
        for child in children(node):
            for found in comparisons_in(child, scope):
                # What a row must not have is not to be made up.
                if not (negated and isinstance(found, ColumnConstant)):
                    yield found


def _found_at(node: Node, scope: Scope) -> Iterator[Found]:
    """What a node itself compares, and what the function does that it calls."""
    compared = list(_compared(node, scope))
    yield from compared
    yield from _asked_to_be(node)
    if not any(isinstance(each, ContextComparison) for each in compared):
        yield from _parts_compared(node, scope)
    if is_a(node, "FuncCall") and scope.depth < _DEEPEST:
        for each in called_queries(_qualified(node, scope), scope.functions):
            yield from comparisons_in(each.query, _body(scope, each))


def _body(scope: Scope, called: Called) -> Scope:
    return Scope(
        bare=NOWHERE,
        functions=scope.functions,
        path=called.path,
        is_body=True,
        depth=scope.depth + 1,
    )


def _qualified(call: Node, scope: Scope) -> Node:
    """The call, with all columns in its arguments written with their relation's schema and name:
    inside the function's body other relations may have these names."""

    def full(node: Any) -> Any:
        if not isinstance(node, Node):
            return tuple(full(each) for each in node) if isinstance(node, tuple) else node
        if is_a(node, "ColumnRef"):
            resolved = _resolve(node, scope)
            if resolved is None:
                return node
            (schema, name), column = resolved
            texts = (schema, name, column)
            return changed(node, fields=tuple(Node("String", sval=text) for text in texts))
        return mapped(node, full)

    return changed(call, args=full(call.args))


def _compared(node: Node, scope: Scope) -> Iterator[Found]:
    sides = () if _looks_into_list(node) and not scope.is_body else _sides(node)
    for one, other in sides:
        ends = list(_yields(one, scope))
        if not _has_column(other) and _is_computed(other):
            for (schema, table), name in ends:
                yield ContextComparison(
                    schema=schema, table=table, column=name, expression=_print(_uncast(other))
                )
        elif ends:
            for end in _yields(other, scope):
                one_end, other_end = sorted((ends[0], end))
                if one_end != other_end:
                    yield ColumnLink(one=one_end, other=other_end)
        for value in _texts(other) if node.tag == "SubLink" or node.kind in _POSITIVE else ():
            if ends:
                (schema, table), name = ends[0]
                yield ColumnConstant(schema=schema, table=table, column=name, value=value)
            elif not ends and not _has_column(one) and _is_computed(one):
                yield ContextConstant(expression=_print(one), value=value)


def _asked_to_be(node: Node) -> Iterator[ContextConstant]:
    """What a policy asks to be there, whatever it is: IS NOT NULL, or another than a text."""
    asked = None
    if is_a(node, "NullTest") and node.nulltesttype == "IS_NOT_NULL":
        asked = _uncast(node.arg)
    elif is_a(node, "A_Expr") and names_of(node.name or ())[-1:] == ("<>",):
        asked = node.lexpr if list(_texts(node.rexpr)) else None
    if asked is not None and not _has_column(asked) and _is_computed(asked):
        for value in _ANYTHING:
            yield ContextConstant(expression=_print(asked), value=value, anything=True)


def _parts_compared(node: Node, scope: Scope) -> Iterator[ContextComparison]:
    """A condition on one column of the policy's own table that is no plain comparison."""
    if scope.is_body or not is_a(node, "A_Expr", "FuncCall"):
        return
    if any(is_a(item, "SubLink") and item.subLinkType != "EXPR_SUBLINK" for item in walk(node)):
        return
    named = {_resolve(item, scope) for item in walk(node) if is_a(item, "ColumnRef")}
    if len(named) != 1:
        return
    (column,) = named
    if column is None or column[0] != scope.bare:
        return
    for part in _largest_computed(node):
        yield ContextComparison(
            schema=column[0][0],
            table=column[0][1],
            column=column[1],
            expression=_print(part),
            atom=printed(node),
        )


def _largest_computed(node: Any) -> Iterator[Node]:
    """The largest parts below a node that name no column and are computed at run time."""
    for child in children(node):
        if not _has_column(child):
            if _is_computed(child):
                yield child
        else:
            yield from _largest_computed(child)


def _sides(node: Node) -> Iterator[tuple[Any, Any]]:
    """What a node compares by equality, in both orders."""
    if is_a(node, "A_Expr") and node.kind in _COMPARE:
        if node.name and names_of(node.name)[-1] in ("=", "?"):
            yield node.lexpr, node.rexpr
            yield node.rexpr, node.lexpr
    elif is_a(node, "SubLink") and node.subLinkType == "ANY_SUBLINK":
        yield node.testexpr, node.subselect
        yield node.subselect, node.testexpr


def _looks_into_list(node: Node) -> bool:
    """Whether a list that the row holds is compared, which is in part: an array, or one in JSON."""
    if not is_a(node, "A_Expr"):
        return False
    held, asked = node.lexpr, node.rexpr
    if node.kind == "AEXPR_OP_ANY":
        held, asked = asked, held
    elif names_of(node.name or ()) != ("?",):
        return False
    return is_a(_uncast(held), "ColumnRef") and _is_computed(asked)


def _yields(node: Any, scope: Scope) -> Iterator[Column]:
    """The columns of which a node has a value: below casts, in arrays, as what a sub-select or a
    function returns."""
    node = _uncast(node)
    if is_a(node, "ColumnRef"):
        yield from filter(None, [_resolve(node, scope)])
    elif is_a(node, "SubLink") and node.subLinkType in ("ARRAY_SUBLINK", "EXPR_SUBLINK"):
        yield from _yields(node.subselect, scope)
    elif is_a(node, "SelectStmt") and node.targetList:
        yield from _yields(node.targetList[0].val, scope.inside(node))
    elif is_a(node, "A_ArrayExpr"):
        for each in node.elements:
            yield from _yields(each, scope)
    elif _passes_on(node):
        yield from _yields(node.args[0], scope)
    elif is_a(node, "FuncCall") and scope.depth < _DEEPEST:
        for each in called_queries(_qualified(node, scope), scope.functions):
            yield from _yields(each.query, _body(scope, each))


def _uncast(node: Any) -> Any:
    """What is cast: a cast may lose a part of it, as to real, and the value is told by it whole."""
    while is_a(node, "TypeCast"):
        node = node.arg
    return node


def _passes_on(node: Any) -> bool:
    if is_a(node, "FuncCall"):
        return bool(node.args) and names_of(node.funcname)[-1] in _PASSES_ON
    return is_a(node, "CoalesceExpr")


def _texts(node: Any) -> Iterator[str]:
    """The literal that a node is, or those in the array that it is."""
    node = _uncast(node)
    if is_a(node, "A_ArrayExpr"):
        for each in node.elements:
            yield from _texts(each)
    value = node.val if is_a(node, "A_Const") else None
    if is_a(value, "String"):
        yield str(value.sval)


def _aliases(items: Any, path: str) -> Iterator[tuple[str, Relation]]:
    # Functions and sub-selects in FROM are left out: their columns belong to no table.
    for item in items or ():
        if is_a(item, "RangeVar"):
            name = str(item.relname)
            alias = str(item.alias.aliasname) if item.alias else name
            yield alias, (item.schemaname or path, name)
        elif is_a(item, "JoinExpr"):
            yield from _aliases((item.larg, item.rarg), path)


def _resolve(column: Node, scope: Scope) -> Column | None:
    parts = [getattr(each, "sval", None) for each in column.fields or ()]
    if not parts or None in parts:
        return None
    if len(parts) == 1:
        return (scope.bare, str(parts[0])) if scope.bare != NOWHERE else None
    if len(parts) > 2:
        return (str(parts[-3]), str(parts[-2])), str(parts[-1])
    relation = scope.names.get(str(parts[-2]))
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
