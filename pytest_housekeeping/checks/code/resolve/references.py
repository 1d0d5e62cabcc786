"""What references mean for one role on the uncommitted schema: asked, or else looked up by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import psycopg

from pytest_housekeeping.checks.code.facts import CodeReference, ReferenceKind
from pytest_housekeeping.checks.code.resolve.by_name import NameLookup
from pytest_housekeeping.checks.code.resolve.catalog import (
    DependencyGraph,
    Node,
    read_dependency_graph,
)
from pytest_housekeeping.checks.code.resolve.resolution import (
    ReachedObject,
    Resolution,
    Resolutions,
)
from pytest_housekeeping.checks.code.resolve.search_path import search_path, set_search_path
from pytest_housekeeping.checks.code.resolve.statements import (
    StatementAnswer,
    ask_statements,
    can_be_asked,
    reject,
)
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, rolled_back


def resolve(connection: Connection, references: Sequence[CodeReference], role: str) -> Resolutions:
    """Let the server say what the references reach. Only inside an open transaction.

    Names without a schema go through the search_path that ``role`` would log in with. Nothing of
    a statement is run, and nothing stays. Raises RuleBroken when the catalog cannot be read.
    """
    try:
        with rolled_back(connection):
            path = search_path(connection, role)
            graph = read_dependency_graph(connection)
            set_search_path(connection, path)
            made = frozenset(name for each in references for name in each.makes)
            lookup = NameLookup(connection, graph, path, made)
            texts = dict.fromkeys(
                each.text
                for each in references
                if each.kind is ReferenceKind.STATEMENT and each.exact and can_be_asked(each.text)
            )
            answers = ask_statements(connection, list(texts))
            return {
                each: _resolve(connection, each, answers.get(each.text), lookup, graph, path)
                for each in references
            }
    except psycopg.Error as error:
        raise RuleBroken(
            f"what the code names could not be resolved: {error.diag.message_primary or error}",
            why="references that nobody resolved prove nothing",
            fix="see the message of PostgreSQL",
        ) from error


def _resolve(
    connection: Connection,
    reference: CodeReference,
    answer: StatementAnswer | None,
    lookup: NameLookup,
    graph: DependencyGraph,
    path: Sequence[str],
) -> Resolution:
    if answer is None:
        return lookup.resolve(reference)
    if answer.depends_on is not None:
        found = list(_followed(answer.depends_on, graph, path))
        known = {each.object for each in found}
        found += [each for each in lookup.chosen(reference) if each.object not in known]
        return Resolution(reached=tuple(found))
    reached = lookup.resolve(reference).reached
    if not answer.is_fault or lookup.is_made_here(reference):
        return Resolution(reached=reached)
    return Resolution(reached=reached, rejected=reject(connection, reference.text, answer))


def _followed(
    depends_on: Iterable[tuple[bool, int, int]], graph: DependencyGraph, path: Sequence[str]
) -> Iterator[ReachedObject]:
    """The objects of a statement's dependencies with their columns, and what is behind them."""
    columns: dict[Node, list[str]] = {}
    for is_relation, oid, column in depends_on:
        named = columns.setdefault((is_relation, oid), [])
        # 0 is the object as a whole.
        if column and (name := graph.columns.get(oid, {}).get(column)):
            named.append(name)
    for node, names in columns.items():
        if node in graph.names:
            yield graph.reached(node, columns=tuple(sorted(names)))
            yield from graph.reached_behind(node, path)
