"""A statement in a body that no policy binds: whether it reads and writes its caller's own rows
alone, and leaves them so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_housekeeping.checks.rls.expressions.body_flow import BodyFlow
from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parser import Node, is_a, walk


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What all bodies are judged by: the protected relations, each with the columns of which its
    policies tell whose a row is, and the settings of the context."""

    relations: Mapping[tuple[str, str], frozenset[str]]
    names: frozenset[str]
    context: frozenset[str]
    context_only: ContextOnly


@dataclass(kw_only=True)
class Body:
    """One body. ``made``: names that its statements themselves give to what they read."""

    flow: BodyFlow
    asked: Asked
    context_only: ContextOnly
    arguments: frozenset[str]
    made: frozenset[str] = field(default_factory=frozenset)

    def is_protected(self, relation: Node) -> bool:
        if relation.schemaname:
            return (relation.schemaname, relation.relname) in self.asked.relations
        return relation.relname in self.asked.names - self.made

    def identity_columns(self, relation: Node) -> frozenset[str]:
        """None where nobody knows which relation it is."""
        return self.asked.relations.get((relation.schemaname, relation.relname), frozenset())

    def is_identity(self, node: Any) -> bool:
        """It is computed from the context, with nothing of the caller's choice in it."""
        from_variable = False
        for each in walk(node):
            if is_a(each, "ParamRef"):
                return False
            if is_a(each, "ColumnRef"):
                name = _name(each)
                given = self.flow.given.get(name, ()) if name not in self.arguments else ()
                if not given or not all(self.is_identity(one) for one in given):
                    return False
                from_variable = True
        read = replace(self.asked.context_only, settings=set(), _known={})
        return read.holds(node) and (from_variable or bool(read.settings & self.asked.context))


def is_own(body: Body, statement: Node) -> bool:
    """Whether a statement reads and writes rows of the identity alone, and leaves them its own."""
    if is_a(statement, "SelectStmt"):
        return _is_bound(body, statement.fromClause, statement.whereClause)
    relation = statement.relation
    if is_a(statement, "InsertStmt"):
        return not body.is_protected(relation) or _inserts_own(body, statement)
    if is_a(statement, "MergeStmt"):
        return _merges_own(body, statement)
    if is_a(statement, "DeleteStmt"):
        return _is_bound(body, (relation, *statement.usingClause), statement.whereClause)
    return _changes_own(body, statement) and _is_bound(
        body, (relation, *statement.fromClause), statement.whereClause
    )


def _changes_own(body: Body, change: Node, relation: Node | None = None) -> bool:
    """Whether no column that tells whose a row is gets another value."""
    relation = relation or change.relation
    columns = body.identity_columns(relation)
    return bool(columns or not body.is_protected(relation)) and not any(
        target.name in columns for target in change.targetList
    )


def _inserts_own(body: Body, statement: Node) -> bool:
    source = statement.selectStmt
    if source is None or source.larg is not None:
        return False
    rows = source.valuesLists or ([target.val for target in source.targetList],)
    return _gives_own(body, statement.relation, statement.cols or (), rows)


def _gives_own(body: Body, relation: Node, into: Sequence[Node], rows: Sequence[Any]) -> bool:
    """Whether each row that is inserted has the identity in each column that tells whose it is."""
    columns = body.identity_columns(relation)
    named = [column.name for column in into]
    return (
        bool(columns)
        and columns <= set(named)
        and all(
            len(row) == len(named)
            and all(body.is_identity(row[named.index(column)]) for column in columns)
            for row in rows
        )
    )


def _merges_own(body: Body, statement: Node) -> bool:
    """What ON leaves out of the target are rows of others; of the source, they are inserted."""
    relation, source = statement.relation, statement.sourceRelation
    for clause in statement.mergeWhenClauses:
        if clause.commandType == "CMD_NOTHING":
            continue
        if clause.matchKind == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE":
            return False
        if clause.commandType == "CMD_UPDATE" and not _changes_own(body, clause, relation):
            return False
        if (
            clause.commandType == "CMD_INSERT"
            and body.is_protected(relation)
            and not _gives_own(body, relation, clause.targetList, (clause.values,))
        ):
            return False
    return _is_bound(body, (source,), None) and _is_bound(
        body, (relation, source), statement.joinCondition
    )


def _is_bound(body: Body, read: Sequence[Any], where: Any) -> bool:
    """Whether each protected relation in FROM is compared with the identity."""
    items: dict[str, Node] = {}
    conditions: list[tuple[Node, frozenset[str]]] = []
    for item in read:
        _gather(item, items, conditions)
    everything = frozenset(items)
    conditions += [(each, everything) for each in _joined(where)]
    bound: set[str] = set()
    while True:
        more = {
            alias
            for condition, may in conditions
            for alias in _binds(body, condition, items, bound)
            if alias in may
        } - bound
        if not more:
            break
        bound |= more
    return all(alias in bound for alias, relation in items.items() if body.is_protected(relation))


def _gather(
    item: Any, items: dict[str, Node], conditions: list[tuple[Node, frozenset[str]]]
) -> None:
    """The relations below an item of FROM by their names in the statement, and what joins them,
    each with the relations that it leaves rows out of."""
    if is_a(item, "RangeVar"):
        items[item.alias.aliasname if item.alias else item.relname] = item
    elif is_a(item, "JoinExpr"):
        _gather(item.larg, items, conditions)
        before = frozenset(items)
        _gather(item.rarg, items, conditions)
        right = frozenset(items) - before
        if item.jointype == "JOIN_INNER":
            conditions += [(each, frozenset(items)) for each in _joined(item.quals)]
        elif item.jointype == "JOIN_LEFT":
            conditions += [(each, right) for each in _joined(item.quals)]


def _joined(condition: Any) -> Iterator[Node]:
    """What is joined by AND."""
    if is_a(condition, "BoolExpr") and condition.boolop == "AND_EXPR":
        for each in condition.args:
            yield from _joined(each)
    elif isinstance(condition, Node):
        yield condition


def _binds(
    body: Body, condition: Node, items: Mapping[str, Node], bound: set[str]
) -> Iterator[str]:
    """The relations of which a condition lets through the identity's own rows alone."""
    if not is_a(condition, "A_Expr") or condition.kind != "AEXPR_OP":
        return
    if names_of(condition.name) not in (("=",), ("pg_catalog", "=")):
        return
    sides: Sequence[Any] = (condition.lexpr, condition.rexpr)
    for one, other in (sides, sides[::-1]):
        alias = _relation_of(body, one, items)
        if alias and (
            body.is_identity(other) or _relation_of(body, other, items) in bound - {alias}
        ):
            yield alias


def _relation_of(body: Body, node: Any, items: Mapping[str, Node]) -> str:
    """Whose column it is, by its name in the statement; empty where it is none."""
    while is_a(node, "TypeCast"):
        node = node.arg
    if not is_a(node, "ColumnRef") or any(is_a(each, "A_Star") for each in node.fields):
        return ""
    parts = names_of(node.fields)
    if len(parts) == 1:
        variable = parts[0] in body.flow.given or parts[0] in body.arguments
        return next(iter(items)) if len(items) == 1 and not variable else ""
    return parts[-2] if parts[-2] in items else ""


def _name(column: Node) -> str:
    """The name of a variable or column that stands by itself."""
    first = column.fields[0]
    alone = len(column.fields) == 1 and not is_a(first, "A_Star")
    return str(first.sval) if alone else ""
