"""Conditions that are true for no row: NULL and false followed through an expression.

What is said of a condition here holds whatever the tables hold: PostgreSQL's own operators with
these names are strict, so that a NULL on either side makes them NULL, and a sub-select of which one
joined relation has no row returns none. A policy lets a row pass only where it is true
(https://www.postgresql.org/docs/16/sql-createpolicy.html). What is not understood may be true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parser import is_a, walk

# All operators of pg_catalog that have these names are strict.
STRICT = frozenset(
    {"=", "<>", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*", "?", "@>"}
    | {"<@", "&&", "->", "->>", "#>", "#>>", "?|", "?&", "^@"}
)
_TEXT = ("text", "varchar")
# Types whose values are never written as a text without a character.
_NEVER_EMPTY = frozenset(
    {"uuid", "smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean"}
    | {"date", "timestamp without time zone", "timestamp with time zone", "oid", "inet", "cidr"}
    | {"time without time zone", "time with time zone", "interval", "money", "macaddr", "json"}
    | {"jsonb", "pg_lsn", "point", "int4range", "int8range", "numrange", "daterange", "tstzrange"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownRows:
    """What is known of rows beforehand.

    ``types`` and ``required`` are of the columns of the policy's own table, the latter those that
    are NOT NULL; of the ``closed`` tables, by schema and name, the role sees no row.
    ``aggregates`` are names of functions that return a row where there is none.
    """

    types: tuple[tuple[str, str], ...] = ()
    required: frozenset[str] = frozenset()
    closed: frozenset[tuple[str, str]] = frozenset()
    aggregates: frozenset[str] = frozenset()

    def type_of(self, column: str) -> str:
        return dict(self.types).get(column, "").partition("(")[0]


def never_true(node: Any, rows: KnownRows) -> bool:
    """Whether the condition is false or NULL for every row."""
    if is_a(node, "BoolExpr"):
        if node.boolop == "AND_EXPR":
            return any(never_true(each, rows) for each in node.args) or _contradicts(node.args)
        if node.boolop == "OR_EXPR":
            return all(never_true(each, rows) for each in node.args)
        return _is_never_null(node.args[0], rows)
    if is_a(node, "A_Const", "TypeCast"):
        return _is_null(node, rows) or _is_false(node)
    if is_a(node, "NullTest"):
        return node.nulltesttype == "IS_NULL" and own_column(node.arg) in rows.required
    if is_a(node, "SubLink"):
        return _no_element(node, rows)
    if is_a(node, "A_Expr"):
        return _compares_nothing(node, rows)
    return False


def _contradicts(conditions: Sequence[Any]) -> bool:
    """``a = 'x' AND a <> 'x'``"""
    said = [
        (names_of(each.name), each.lexpr, each.rexpr)
        for each in conditions
        if is_a(each, "A_Expr")
        and each.kind == "AEXPR_OP"
        and literal_of(each.rexpr) is not None
        and (own_column(each.lexpr) or as_text(each.lexpr))
    ]
    return any((("=",), one, other) in said for name, one, other in said if name == ("<>",))


def own_column(node: Any) -> str | None:
    """The column of the policy's own table that a node is: only these are printed bare."""
    fields: tuple[Any, ...] = node.fields if is_a(node, "ColumnRef") else ()
    return str(fields[0].sval) if len(fields) == 1 and is_a(fields[0], "String") else None


def literal_of(node: Any) -> str | None:
    """The text of a literal below any casts; None where it is none, or NULL."""
    while is_a(node, "TypeCast"):
        node = node.arg
    value = getattr(getattr(node, "val", None), "sval", None) if is_a(node, "A_Const") else None
    return value if isinstance(value, str) else None


def as_text(node: Any) -> str | None:
    """The own column of which the node is the text, whole and unchanged."""
    if not is_a(node, "TypeCast") or node.typeName.typmods:
        return None
    return own_column(node.arg) if names_of(node.typeName.names)[-1] in _TEXT else None


def _compares_nothing(node: Any, rows: KnownRows) -> bool:
    """An operator with NULL on one side, or one that compares with what cannot be there."""
    if node.kind not in ("AEXPR_OP_ANY", "AEXPR_OP") or not _is_strict(node):
        return False
    if _is_null(node.rexpr, rows):
        return True
    if node.kind == "AEXPR_OP_ANY":
        return _is_empty_array(node.rexpr, rows)
    in_nothing = names_of(node.name) == ("?",) and literal_of(node.lexpr) in ("[]", "{}")
    # To these operators NULL is an element of no array.
    held = names_of(node.name)[0] in ("@>", "&&") and _is_array_of_null(node.rexpr)
    return in_nothing or held or _is_null(node.lexpr, rows) or _is_nobodys_text(node, rows)


def _is_strict(node: Any) -> bool:
    # pg_get_expr prints the schema of an operator that is not of pg_catalog.
    return len(node.name or ()) == 1 and names_of(node.name)[0] in STRICT


def _is_nobodys_text(node: Any, rows: KnownRows) -> bool:
    """``uuid::text = ''``"""
    if names_of(node.name) != ("=",):
        return False
    for one, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        column = as_text(one)
        if column is not None and literal_of(other) == "":
            return rows.type_of(column) in _NEVER_EMPTY
    return False


def _is_never_null(node: Any, rows: KnownRows) -> bool:
    """``NOT (column IS DISTINCT FROM NULL)``, where the column is never NULL."""
    if not (is_a(node, "A_Expr") and node.kind == "AEXPR_DISTINCT"):
        return False
    return any(
        own_column(one) in rows.required and _is_null(other, rows)
        for one, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr))
    )


def _is_null(node: Any, rows: KnownRows) -> bool:
    while is_a(node, "TypeCast", "CollateClause"):
        node = node.arg
    if is_a(node, "A_Const"):
        return bool(node.isnull)
    if is_a(node, "A_Expr") and node.kind == "AEXPR_OP" and _is_strict(node):
        return _is_null(node.lexpr, rows) or _is_null(node.rexpr, rows)
    if is_a(node, "SubLink") and node.subLinkType == "EXPR_SUBLINK":
        select = node.subselect
        returned = _returned(select)
        return no_row(select, rows) or (returned is not None and _is_null(returned, rows))
    return False


def _is_false(node: Any) -> bool:
    while is_a(node, "TypeCast"):
        node = node.arg
    value = node.val if is_a(node, "A_Const") else None
    if is_a(value, "Boolean"):
        return not value.boolval
    return is_a(value, "String") and value.sval in ("f", "false")


def _is_empty_array(node: Any, rows: KnownRows) -> bool:
    while is_a(node, "TypeCast"):
        node = node.arg
    return (
        is_a(node, "SubLink")
        and node.subLinkType == "ARRAY_SUBLINK"
        and no_row(node.subselect, rows)
    )


def _is_array_of_null(node: Any) -> bool:
    array = is_a(node, "TypeCast") and bool(node.typeName.arrayBounds)
    return array and literal_of(node) == "{NULL}"


def _no_element(node: Any, rows: KnownRows) -> bool:
    """``EXISTS`` or ``IN`` over nothing, or a scalar that is not true."""
    if node.subLinkType == "EXISTS_SUBLINK":
        return no_row(node.subselect, rows)
    if node.subLinkType == "ANY_SUBLINK":
        # IN has no operator of its own; with another than a strict one NULL may be equal.
        strict = not node.operName or names_of(node.operName) == ("=",)
        returned = _returned(node.subselect)
        return no_row(node.subselect, rows) or (
            strict
            and (
                _is_null(node.testexpr, rows) or (returned is not None and _is_null(returned, rows))
            )
        )
    if node.subLinkType == "EXPR_SUBLINK":
        returned = _returned(node.subselect)
        return no_row(node.subselect, rows) or (returned is not None and never_true(returned, rows))
    return False


def no_row(select: Any, rows: KnownRows) -> bool:
    """Whether a sub-select returns no row."""
    if not is_a(select, "SelectStmt"):
        return False
    if select.op != "SETOP_NONE":
        sides = no_row(select.larg, rows), no_row(select.rarg, rows)
        return all(sides) if select.op == "SETOP_UNION" else sides[0]
    # An aggregate without GROUP BY returns a row of none.
    grouped = select.groupClause or select.havingClause
    if grouped or any(
        is_a(item, "FuncCall") and (item.agg_star or names_of(item.funcname)[-1] in rows.aggregates)
        for item in walk(select.targetList)
    ):
        return False
    if select.whereClause is not None and never_true(select.whereClause, rows):
        return True
    return any(_joins_none(item, rows) for item in select.fromClause)


def _joins_none(item: Any, rows: KnownRows) -> bool:
    if is_a(item, "RangeVar"):
        return (item.schemaname or "", item.relname) in rows.closed
    if is_a(item, "RangeSubselect"):
        return no_row(item.subquery, rows)
    if is_a(item, "JoinExpr"):
        left, right = _joins_none(item.larg, rows), _joins_none(item.rarg, rows)
        kept = {
            "JOIN_INNER": left or right or never_true(item.quals, rows),
            "JOIN_LEFT": left,
            "JOIN_RIGHT": right,
        }
        return kept.get(item.jointype, left and right)
    return False


def _returned(select: Any) -> Any:
    """What a plain sub-select of one column returns for each row; None where it is not plain."""
    if not is_a(select, "SelectStmt") or select.op != "SETOP_NONE" or len(select.targetList) != 1:
        return None
    return select.targetList[0].val
