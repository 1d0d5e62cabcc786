"""Code that no policy binds, and that binds itself: what it reads, it compares with the identity.

A helper that looks into the table of members, past its policies, is sound where each row that it
sees belongs to whom the session acts for. So a body is let through when every protected table in it
is joined, by AND and by =, to the identity that the context carries, or to a table that is; nothing
that it does not say counts, and it may put no statement together. What it changes stays its
owner's, and what it inserts carries the identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_housekeeping.checks.code.sqltext.bodies import READ_BY_TEXT
from pytest_housekeeping.checks.rls.expressions.body_flow import (
    read_flow,
)
from pytest_housekeeping.checks.rls.expressions.context_only import read_context_only
from pytest_housekeeping.checks.rls.expressions.plpgsql_body import FlowUnread
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.checks.rls.proofs.acting_body import Asked, Body, is_own
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rules.evaluation import evaluate, findings_of
from pytest_housekeeping.checks.rules.scope import run_readonly, scoped_query
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parser import Node, is_a, walk

_WRITES = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
_STATEMENTS = ("SelectStmt", "CreateFunctionStmt", *_WRITES)


def prove_acts_bound(connection: Connection, request: ProofRequest) -> Verdict:
    """No function that the rule's query returns acts on rows that are not the caller's own."""
    seen = evaluate(connection, request.scope, request.rule)
    found, evidence = [], []
    asked: Asked | None = None
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


def _read(connection: Connection, request: ProofRequest) -> Asked:
    (names,) = run_readonly(connection, scoped_query(connection, request.scope, _RELATIONS))
    relations = {(schema, name): frozenset(columns) for schema, name, columns in names}
    return Asked(
        relations=relations,
        names=frozenset(name for _, name in relations),
        context=frozenset(name.lower() for name in request.contract.context),
        context_only=read_context_only(connection),
    )


def _binds_itself(row: Mapping[str, Any], asked: Asked) -> bool:
    arguments = [each["name"] or "" for each in row["arguments"]]
    try:
        flow = read_flow(row["source"], row["language"], arguments)
    except FlowUnread:
        return False
    nodes = [node for tree in flow.trees for node in walk(tree)]
    body = Body(
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
        and not any(is_a(node, "OnConflictClause") for node in nodes)
        and all(_calls_nothing_else(body, node) for node in nodes if is_a(node, "FuncCall"))
        and all(is_own(body, node) for node in nodes if is_a(node, "SelectStmt", *_WRITES))
        and bool(body.context_only.settings & asked.context)
    )


def _calls_nothing_else(body: Body, call: Node) -> bool:
    """PostgreSQL's own function, or one that tells the identity: others may read whatever they like
    as the same owner."""
    *schema, name = names_of(call.funcname)
    if name in READ_BY_TEXT:
        return False
    if schema == ["pg_catalog"] or not body.context_only.overloads(name):
        return True
    return body.context_only.holds(call)


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
