"""Triggers of protected tables that write what they are given to where no policy filters it.

PostgreSQL records no dependency for what a body written as a string names
(https://www.postgresql.org/docs/16/ddl-depend.html), so the bodies are parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.code.resolve.catalog import DependencyGraph, read_dependency_graph
from pytest_housekeeping.checks.code.resolve.search_path import split_path
from pytest_housekeeping.checks.code.sqltext.bodies import body_texts
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rules.evaluation import findings_of, rows_as_json
from pytest_housekeeping.checks.rules.scope import run_readonly, scoped_query
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parse import nodes_of, parsed

_WRITES = ("InsertStmt", "UpdateStmt", "MergeStmt")
# What PL/pgSQL tells a trigger of the statement, and nothing of the row:
# https://www.postgresql.org/docs/16/plpgsql-trigger.html
_OF_THE_STATEMENT = "tg_"
_ROWS = ("new", "old")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Copy:
    """A relation outside the protected schemas that an untrusted role reads unfiltered."""

    object: str
    role: str
    grantees: str


def prove_no_copies(connection: Connection, request: ProofRequest) -> Verdict:
    """No trigger of a protected table, and no function that it calls, writes values of the row to
    a relation outside that an untrusted role may read past any policy."""
    query = scoped_query(
        connection, request.scope, _QUERY, extra=f"hk_finding AS (\n{request.rule.query}\n)"
    )
    (answer,) = run_readonly(connection, query)
    copies = {int(oid): _Copy(**copy) for oid, copy in answer["copies"].items()}
    triggers = answer["triggers"] if copies else []
    graph = read_dependency_graph(connection) if triggers else None
    protected = frozenset(answer["protected"])
    functions = dict.fromkeys(each["function_oid"] for each in triggers)
    written = {
        function: _written(graph, function, protected) & copies.keys()
        for function in functions
        if graph is not None
    }
    found = [
        {
            "object": trigger["object"],
            "copy": copies[oid].object,
            "role": copies[oid].role,
            "grantees": copies[oid].grantees,
            "detail": f"it writes values of the row to {copies[oid].object}, where no policy"
            f" filters them, and {copies[oid].role} may read it",
        }
        for trigger in triggers
        for oid in sorted(written[trigger["function_oid"]])
    ]
    return Verdict(
        examined=answer["tables"],
        unit="tables",
        findings=findings_of(request.rule, found),
        evidence=(f"{len(answer['triggers'])} triggers followed to what they write",),
    )


def _written(graph: DependencyGraph, function: int, protected: frozenset[int]) -> set[int]:
    """The relations that a trigger function, or one that it calls, writes values of rows to."""
    start = (False, function)
    called = [
        function,
        *(oid for (is_relation, oid), _ in graph.behind(start, ()) if not is_relation),
    ]
    return {oid for each in called for oid in _written_by(graph, each, protected)}


def _written_by(graph: DependencyGraph, function: int, protected: frozenset[int]) -> Iterator[int]:
    source, language, own_path = graph.bodies.get(function, ("", "", None))
    texts = body_texts(source, language) if source else None
    path = split_path(own_path) if own_path is not None else _home(graph, function)
    for text in texts.statements if texts else ():
        for statement in parsed(text):
            for name, body in [(statement.name, statement.body), *nodes_of(statement.body)]:
                if name in _WRITES and _carries_rows(graph, name, body, path, protected):
                    oid = graph.relation(_parts(body["relation"]), path)
                    yield from [oid] if oid is not None else []


def _carries_rows(
    graph: DependencyGraph,
    name: str,
    body: Mapping[str, Any],
    path: tuple[str, ...],
    protected: frozenset[int],
) -> bool:
    """Whether what is written is made of the row, of a variable, or of protected rows."""
    if name == "InsertStmt":
        select = body.get("selectStmt", {}).get("SelectStmt", {})
        if not select.get("fromClause"):
            # Without FROM, a column can be nothing but a variable of the function.
            return any(not each.startswith(_OF_THE_STATEMENT) for each in _variables(select))
        read = [
            graph.relation(_parts(each), path)
            for key, each in nodes_of(select)
            if key == "RangeVar"
        ]
        return any(oid in protected or oid is None for oid in read) or any(
            each in _ROWS for each in _variables(select)
        )
    set_to = body.get("targetList") or body.get("mergeWhenClauses")
    return any(each in (*_ROWS, "$") for each in _variables(set_to))


def _variables(tree: Any) -> Iterator[str]:
    """The first part of each name of a column; a dollar for a numbered parameter."""
    for key, value in nodes_of(tree):
        if key == "ParamRef":
            yield "$"
        elif key == "ColumnRef":
            first = value["fields"][0]
            yield first.get("String", {}).get("sval", "*")


def _parts(relation: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(part for key in ("schemaname", "relname") if (part := relation.get(key)))


def _home(graph: DependencyGraph, function: int) -> tuple[str, ...]:
    """Where a function without a search_path of its own is taken to look names up."""
    return (graph.names[False, function][0], "public") if (False, function) in graph.names else ()


_QUERY = f"""
SELECT pg_catalog.jsonb_build_object(
    'tables', (SELECT pg_catalog.count(*) FROM hk_any_table),
    'triggers', ({rows_as_json("hk_finding")}),
    'protected', (SELECT coalesce(pg_catalog.jsonb_agg(t.oid::int8), '[]') FROM hk_any_table AS t),
    'copies', (
        SELECT coalesce(pg_catalog.jsonb_object_agg(c.oid, pg_catalog.jsonb_build_object(
            'object', c.object, 'role', c.role, 'grantees', c.grantees)), '{{}}')
        FROM (
            SELECT
                o.oid,
                o.object,
                pg_catalog.min(a.role_object) AS role,
                pg_catalog.string_agg(
                    DISTINCT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', '
                ) AS grantees
            FROM hk_outside AS o
            INNER JOIN hk_outside_access AS a ON o.oid = a.oid
            LEFT JOIN pg_catalog.pg_roles AS r ON a.grantee = r.oid
            WHERE a.privilege = 'SELECT' AND NOT o.row_security
            GROUP BY o.oid, o.object
        ) AS c
    )
)
"""
