"""Boundaries in the text of functions: what PostgreSQL keeps no dependency of, its parser sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.checks.code.resolve.catalog import (
    DependencyGraph,
    Node,
    read_dependency_graph,
)
from pytest_housekeeping.checks.code.resolve.resolve import search_path
from pytest_housekeeping.checks.code.sqltext.bodies import read_body
from pytest_housekeeping.checks.code.sqltext.collector import hinted_names
from pytest_housekeeping.checks.rules.evaluation import Scope, findings_of, run_readonly, select
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import split_name


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sides:
    """The relations of the target and of the source, by OID."""

    target: frozenset[int]
    source: frozenset[int]


def prove_bodies(connection: Connection, scope: Scope, roles: Sequence[str], rule: Rule) -> Verdict:
    """Follow each function of the rule's query to every relation that it names, over the functions
    and views between. It is a finding when relations of both sides are held together.

    A row says which side the function holds by where it stands (``holds_target``,
    ``holds_source``). A body that runs with other rights than its caller's (``definer``) and
    builds a statement at run time, or is in a language that is not read, is undecided.
    """
    functions, sides = _ask(connection, scope, rule)
    directory = read_dependency_graph(connection)
    path = search_path(connection, roles[0])
    found = [
        {"object": function["object"], "detail": detail}
        for function in functions
        for detail in _crossed(directory, function, path, sides)
    ]
    return Verdict(
        examined=len(sides.target),
        unit="relations",
        findings=findings_of(rule, found),
        evidence=(f"{len(functions)} functions followed to what they name",),
    )


def _crossed(
    directory: DependencyGraph, function: Mapping[str, Any], path: Sequence[str], sides: _Sides
) -> Iterator[str]:
    start: Node = (False, function["oid"])
    reached = {start: "", **dict(directory.behind(start, path))}
    relations = {oid for is_relation, oid in reached if is_relation}
    hints = hinted_names(function["source"])
    for name in hints or ():
        oid = directory.relation(split_name(name), path)
        relations |= {oid} if oid is not None else set()
    into = relations & sides.target
    out = relations & sides.source
    if into and (function["holds_source"] or out):
        yield f"it names {_names(directory, into)}" + _also(directory, out, function)
    elif function["holds_target"] and out:
        yield f"a trigger of the target's calls it, and it names {_names(directory, out)}"
    elif function["definer"] and hints is None and _is_unread(directory, function, reached):
        yield (
            "undecided: it runs with its owner's rights, and what it names is known at run time"
            " only, or written in a language that is not read"
        )


def _also(directory: DependencyGraph, out: set[int], function: Mapping[str, Any]) -> str:
    return "" if function["holds_source"] else f" as well as {_names(directory, out)}"


def _is_unread(
    directory: DependencyGraph, function: Mapping[str, Any], reached: Mapping[Node, str]
) -> bool:
    """Whether something on the way is built at run time, or cannot be read."""
    if function["source"] and read_body(function["source"], function["language"])[1]:
        return True
    behind = [
        directory.bodies[oid]
        for is_relation, oid in reached
        if not is_relation and oid in directory.bodies
    ]
    return any(read_body(source, language)[1] for source, language, _ in behind)


def _names(directory: DependencyGraph, relations: set[int]) -> str:
    return ", ".join(sorted(".".join(directory.names[True, oid]) for oid in relations))


def _ask(
    connection: Connection, scope: Scope, rule: Rule
) -> tuple[list[Mapping[str, Any]], _Sides]:
    text = select(
        connection,
        scope,
        "SELECT pg_catalog.jsonb_build_object("
        "'functions', (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)"
        " ORDER BY f.object COLLATE \"C\"), '[]') FROM hk_finding AS f),"
        " 'target', (SELECT coalesce(pg_catalog.jsonb_agg(t.oid::int8), '[]')"
        " FROM hk_target_relation AS t),"
        " 'source', (SELECT coalesce(pg_catalog.jsonb_agg(c.oid::int8), '[]')"
        " FROM pg_catalog.pg_class AS c"
        " WHERE c.relnamespace IN (SELECT s.oid FROM hk_source_schema AS s)"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND c.oid NOT IN (SELECT t.oid FROM hk_target_relation AS t)))",
        extra=f"hk_finding AS (\n{rule.query}\n)",
    )
    (answer,) = run_readonly(connection, text)
    functions: list[Mapping[str, Any]] = [
        dict(each) | {"oid": int(each["oid"])} for each in answer["functions"]
    ]
    sides = _Sides(target=frozenset(answer["target"]), source=frozenset(answer["source"]))
    return functions, sides
