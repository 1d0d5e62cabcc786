"""Triggers of protected tables, and functions that their constraints, policies and the like call,
that write what they are given to where no policy filters it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.checks.code.resolve.catalog import read_dependency_graph
from pytest_housekeeping.checks.code.resolve.writes import rows_written
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rules.evaluation import findings_of, rows_as_json
from pytest_housekeeping.checks.rules.scope import run_readonly, scoped_query
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class _Copy:
    """A relation outside the protected schemas that an untrusted role reads unfiltered."""

    object: str
    role: str
    grantees: str


def prove_no_copies(connection: Connection, request: ProofRequest) -> Verdict:
    """No trigger of a protected table, nothing else that is called when a row is written, and no
    function that these call, writes values of the row to a relation outside that an untrusted role
    may read past any policy."""
    query = scoped_query(
        connection, request.scope, _QUERY, extra=f"hk_finding AS (\n{request.rule.query}\n)"
    )
    (answer,) = run_readonly(connection, query)
    copies = {int(oid): _Copy(**copy) for oid, copy in answer["copies"].items()}
    triggers = answer["triggers"] if copies else []
    graph = read_dependency_graph(connection) if triggers else None
    protected = frozenset(answer["protected"])
    functions = dict.fromkeys(each["function_oid"] for each in triggers)
    written = rows_written(connection, graph, functions, protected) if graph is not None else {}
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
        for oid in sorted(written[trigger["function_oid"]] & copies.keys())
    ]
    return Verdict(
        examined=answer["tables"],
        unit="tables",
        findings=findings_of(request.rule, found),
        evidence=(f"{len(answer['triggers'])} triggers and calls followed to what they write",),
    )


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
