"""Code that no policy binds, and that binds itself: what it reads, it compares with the identity.

A helper that looks into the table of members, past its policies, is sound where each row that it
sees belongs to whom the session acts for. So a body is let through when every protected table in it
is joined, by AND and by =, to the identity that the context carries, or to a table that is; nothing
that it does not say counts, and it may put no statement together. What it changes stays its
owner's, and what it inserts carries the identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_housekeeping.checks.rls.expressions.body_flow import (
    BodyFlow,
    read_flow,
)
from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly, read_context_only
from pytest_housekeeping.checks.rls.expressions.plpgsql_body import FlowUnread
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rules.evaluation import evaluate, findings_of
from pytest_housekeeping.checks.rules.scope import run_readonly, scoped_query
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parser import Node, is_a, walk

_WRITES = ("InsertStmt", "UpdateStmt", "DeleteStmt")
_STATEMENTS = ("SelectStmt", "CreateFunctionStmt", *_WRITES)


def prove_acts_bound(connection: Connection, request: ProofRequest) -> Verdict:
    """No function that the rule's query returns acts on rows that are not the caller's own."""
    seen = evaluate(connection, request.scope, request.rule)
    found, evidence = [], []
    asked: _Asked | None = None
    for row in seen.rows:
        asked = asked or _read(connection, request)
        if _binds_itself(row, asked):
            evidence.append(
                f"{row['object']}: its body compares all that it acts on with the identity"
            )
        else:
            found.append(row)
    return Verdict(
        examined=seen.examined,
        findings=findings_of(request.rule, found),
        evidence=tuple(evidence),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What all bodies are judged by: the protected relations, each with the columns of which its
    policies tell whose a row is, and the settings of the context."""

    relations: Mapping[tuple[str, str], frozenset[str]]
    names: frozenset[str]
    context: frozenset[str]
    context_only: ContextOnly


@dataclass(kw_only=True)
class _Body:
    """One body. ``made``: names that its statements themselves give to what they read."""

    flow: BodyFlow
    asked: _Asked
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


def _read(connection: Connection, request: ProofRequest) -> _Asked:
    (names,) = run_readonly(connection, scoped_query(connection, request.scope, _RELATIONS))
    relations = {(schema, name): frozenset(columns) for schema, name, columns in names}
    return _Asked(
        relations=relations,
        names=frozenset(name for _, name in relations),
        context=frozenset(name.lower() for name in request.contract.context),
        context_only=read_context_only(connection),
    )


def _binds_itself(row: Mapping[str, Any], asked: _Asked) -> bool:
    arguments = [each["name"] or "" for each in row["arguments"]]
    try:
        flow = read_flow(row["source"], row["language"], arguments)
    except FlowUnread:
        return False
    nodes = [node for tree in flow.trees for node in walk(tree)]
    body = _Body(
        flow=flow,
        asked=asked,
        context_only=replace(asked.context_only, settings=set(), _known={}),
        arguments=frozenset(arguments),
        made=frozenset(node.ctename for node in nodes if is_a(node, "CommonTableExpr")),
    )
    reading = [node for node in nodes if is_a(node, "RangeVar") and body.is_protected(node)]
    return (
        bool(reading)
        and not flow.dynamic
        and all(is_a(tree, *_STATEMENTS) for tree in flow.trees)
        and not any(is_a(node, "MergeStmt", "OnConflictClause") for node in nodes)
        and all(_calls_nothing_else(body, node) for node in nodes if is_a(node, "FuncCall"))
        and all(_is_own(body, node) for node in nodes if is_a(node, "SelectStmt", *_WRITES))
        and bool(body.context_only.settings & asked.context)
    )


def _calls_nothing_else(body: _Body, call: Node) -> bool:
    """PostgreSQL's own function, or one that tells the identity: others may read whatever they like
    as the same owner."""
    *schema, name = names_of(call.funcname)
    if schema == ["pg_catalog"] or not body.context_only.overloads(name):
        return True
    return body.context_only.holds(call)


def _is_own(body: _Body, statement: Node) -> bool:
    """Whether a statement reads and writes rows of the identity alone, and leaves them its own."""
    if is_a(statement, "SelectStmt"):
        return _is_bound(body, statement.fromClause, statement.whereClause)
    relation = statement.relation
    if is_a(statement, "InsertStmt"):
        return not body.is_protected(relation) or _inserts_own(body, statement)
    if is_a(statement, "DeleteStmt"):
        return _is_bound(body, (relation, *statement.usingClause), statement.whereClause)
    columns = body.identity_columns(relation)
    return (
        bool(columns or not body.is_protected(relation))
        and not any(target.name in columns for target in statement.targetList)
        and _is_bound(body, (relation, *statement.fromClause), statement.whereClause)
    )


def _inserts_own(body: _Body, statement: Node) -> bool:
    """Whether each row that is inserted has the identity in each column that tells whose it is."""
    columns = body.identity_columns(statement.relation)
    named = [column.name for column in statement.cols or ()]
    source = statement.selectStmt
    if not columns or not columns <= set(named) or source is None or source.larg is not None:
        return False
    rows = source.valuesLists or ([target.val for target in source.targetList],)
    return all(
        len(row) == len(named)
        and all(body.is_identity(row[named.index(column)]) for column in columns)
        for row in rows
    )


def _is_bound(body: _Body, read: Sequence[Any], where: Any) -> bool:
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
    body: _Body, condition: Node, items: Mapping[str, Node], bound: set[str]
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


def _relation_of(body: _Body, node: Any, items: Mapping[str, Node]) -> str:
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


_RELATIONS = """
SELECT coalesce(
    pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(r.schema, r.name, r.columns)), '[]'
)
FROM (
    SELECT
        t.schema,
        t.name,
        coalesce(pg_catalog.jsonb_agg(i.name) FILTER (WHERE i.name IS NOT NULL), '[]') AS columns
    FROM hk_any_table AS t
    LEFT JOIN hk_identity AS i ON t.oid = i.table_oid
    GROUP BY t.schema, t.name
    UNION ALL
    SELECT n.nspname, c.relname, '[]'
    FROM hk_view_over AS v
    INNER JOIN pg_catalog.pg_class AS c ON v.oid = c.oid AND c.relkind IN ('v', 'm')
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
) AS r
"""
