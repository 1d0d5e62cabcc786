"""Boundaries that the text of a function crosses, which no grant and no dependency shows.

PostgreSQL records no dependency for what a body written as a string names
(https://www.postgresql.org/docs/16/ddl-depend.html), so the bodies are parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.code.resolve.catalog import (
    DependencyGraph,
    Node,
    read_dependency_graph,
)
from pytest_housekeeping.checks.code.resolve.search_path import search_path
from pytest_housekeeping.checks.code.resolve.writes import rows_written
from pytest_housekeeping.checks.code.sqltext.bodies import read_body
from pytest_housekeeping.checks.code.sqltext.hints import hinted_names
from pytest_housekeeping.checks.rls.proofs.bodies import row_values_sent
from pytest_housekeeping.checks.rules.evaluation import findings_of, rows_as_json
from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import split_name


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sides:
    """The relations of the target, of the source, and others that the source may read, by OID."""

    target: frozenset[int]
    source: frozenset[int]
    shown: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Function:
    """A row of the rule's query. ``definer``: it runs with other rights than its caller's;
    ``holds_target`` and ``holds_source``: it stands on that side, whatever its body names;
    ``repair`` keeps it from being set off; ``keys`` are columns that tell which row and no more;
    ``set_off``: by writing to a table of the target's."""

    oid: int
    object: str
    definer: bool
    language: str
    source: str
    holds_target: bool
    holds_source: bool
    repair: str
    keys: frozenset[str]
    set_off: bool


def prove_bodies(
    connection: Connection, scope: RuleScope, roles: Sequence[str], rule: Rule
) -> Verdict:
    """No function of the rule's query connects relations of the target with those of the source.

    Each function is followed to every relation that it names, through the functions and views in
    between. A ``definer`` function that builds a statement at run time, or is written in a language
    that is not read, is undecided, which is a finding too.
    """
    functions, sides = _read(connection, scope, rule)
    graph = read_dependency_graph(connection)
    path = search_path(connection, roles[0])
    fired = [function for function in functions if function.set_off]
    written = rows_written(connection, graph, [each.oid for each in fired], sides.target)
    found = [
        {"object": function.object, "detail": detail, "repair": function.repair}
        for function in functions
        for detail in (
            *_crossings(graph, function, path, sides),
            *_told(graph, function, written.get(function.oid, set()) & sides.shown),
        )
    ]
    return Verdict(
        examined=len(sides.target),
        unit="relations",
        findings=findings_of(rule, found),
        evidence=(f"{len(functions)} functions followed to what they name",),
    )


def _crossings(
    graph: DependencyGraph, function: _Function, path: Sequence[str], sides: _Sides
) -> Iterator[str]:
    """In words, how a function crosses the boundary; nothing where it does not."""
    start: Node = (False, function.oid)
    reached = {start: "", **dict(graph.behind(start, path))}
    relations = {oid for is_relation, oid in reached if is_relation}
    hinted = hinted_names(function.source)
    for name in hinted or ():
        oid = graph.relation(split_name(name), path)
        relations |= {oid} if oid is not None else set()
    in_target = relations & sides.target
    in_source = relations & sides.source
    if in_target and (function.holds_source or in_source):
        also = "" if function.holds_source else f" as well as {_names(graph, in_source)}"
        yield f"it names {_names(graph, in_target)}{also}"
    elif function.holds_target and in_source:
        yield f"a trigger of the target's calls it, and it names {_names(graph, in_source)}"
    elif function.definer and hinted is None and _is_unread(graph, function, reached):
        yield (
            "undecided: it runs with its owner's rights, and what it names is known at run time"
            " only, or written in a language that is not read"
        )


def _told(graph: DependencyGraph, function: _Function, written: set[int]) -> Iterator[str]:
    """In words, how it tells of the target's rows where neither side is at home."""
    if written:
        yield (
            "a table of the target's calls it, and it writes values of the row to"
            f" {_names(graph, written)}, which the source may read"
        )
    if not function.set_off:
        return
    if sent := row_values_sent(function.source, function.language, function.keys):
        yield (
            f"a table of the target's calls it, and it sends {sent} of the row to every session"
            " that listens"
        )


def _is_unread(graph: DependencyGraph, function: _Function, reached: Mapping[Node, str]) -> bool:
    """Whether it, or a function that it calls, builds SQL at run time or cannot be read."""
    if function.source and read_body(function.source, function.language).dynamic:
        return True
    bodies = [
        graph.bodies[oid] for is_relation, oid in reached if not is_relation and oid in graph.bodies
    ]
    return any(read_body(source, language).dynamic for source, language, _ in bodies)


def _names(graph: DependencyGraph, relations: set[int]) -> str:
    return ", ".join(sorted(".".join(graph.names[True, oid]) for oid in relations))


def _read(connection: Connection, scope: RuleScope, rule: Rule) -> tuple[list[_Function], _Sides]:
    (answer,) = run_readonly(
        connection,
        scoped_query(connection, scope, _QUERY, extra=f"hk_finding AS (\n{rule.query}\n)"),
    )
    functions = [
        _Function(
            oid=int(row["oid"]),
            object=row["object"],
            definer=row["definer"],
            language=row["language"],
            source=row["source"],
            holds_target=row["holds_target"],
            holds_source=row["holds_source"],
            repair=row["repair"],
            keys=frozenset(row.get("keys") or ()),
            set_off=row.get("set_off", False),
        )
        for row in answer["functions"]
    ]
    sides = _Sides(
        target=frozenset(answer["target"]),
        source=frozenset(answer["source"]),
        shown=frozenset(answer["shown"]),
    )
    return functions, sides


_QUERY = f"""
SELECT pg_catalog.jsonb_build_object(
    'functions', ({rows_as_json("hk_finding")}),
    'target', (
        SELECT coalesce(pg_catalog.jsonb_agg(t.oid::int8), '[]') FROM hk_target_relation AS t
    ),
    'source', (
        SELECT coalesce(pg_catalog.jsonb_agg(c.oid::int8), '[]')
        FROM pg_catalog.pg_class AS c
        WHERE
            c.relnamespace IN (SELECT s.oid FROM hk_source_schema AS s)
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)
    ),
    'shown', (
        SELECT coalesce(pg_catalog.jsonb_agg(c.oid::int8), '[]')
        FROM hk_used_elsewhere AS u
        INNER JOIN pg_catalog.pg_class AS c ON u.oid = c.oid
        WHERE u.reads AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
    )
)
"""
