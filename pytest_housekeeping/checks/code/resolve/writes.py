"""Which relations functions write values of rows to, by their bodies.

PostgreSQL records no dependency for what a body written as a string names
(https://www.postgresql.org/docs/16/ddl-depend.html), so the bodies are parsed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pytest_housekeeping.checks.code.resolve.catalog import DependencyGraph
from pytest_housekeeping.checks.code.resolve.search_path import split_path
from pytest_housekeeping.checks.code.sqltext.bodies import body_texts
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parse import nodes_of, parsed

_WRITES = ("InsertStmt", "UpdateStmt", "MergeStmt")
# What PL/pgSQL tells a trigger of the statement, and nothing of the row:
# https://www.postgresql.org/docs/16/plpgsql-trigger.html
_OF_THE_STATEMENT = "tg_"
_ROWS = ("new", "old")


def rows_written(
    connection: Connection,
    graph: DependencyGraph,
    functions: Collection[int],
    held: frozenset[int],
) -> Mapping[int, set[int]]:
    """The relations that each function, or one that it calls, writes values to: of the row that it
    is called for, of its variables, or of the rows that the ``held`` relations hold."""
    called = {function: _called(graph, function) for function in functions}
    texts = _texts(connection, graph, {each for found in called.values() for each in found})
    written = {each: set(_written_by(graph, each, texts[each], held)) for each in texts}
    return {
        function: {oid for each in found for oid in written.get(each, ())}
        for function, found in called.items()
    }


def _called(graph: DependencyGraph, function: int) -> list[int]:
    """The function, and those that it calls."""
    behind = graph.behind((False, function), ())
    return [function, *(oid for (is_relation, oid), _ in behind if not is_relation)]


def _texts(
    connection: Connection, graph: DependencyGraph, functions: Collection[int]
) -> dict[int, tuple[str, ...]]:
    """The statements of each function whose body can be read."""
    kept = [(oid, *graph.bodies[oid][:2]) for oid in functions if oid in graph.bodies]
    parsed = [oid for oid in functions if oid not in graph.bodies]
    rows = connection.execute(_PARSED, (parsed,)).fetchall() if parsed else []
    read = {oid: body_texts(source, language) for oid, source, language in (*kept, *rows)}
    return {oid: texts.statements for oid, texts in read.items() if texts is not None}


def _written_by(
    graph: DependencyGraph, function: int, texts: Iterable[str], held: frozenset[int]
) -> Iterator[int]:
    """The relations that a function writes values of rows to."""
    *_, own_path = graph.bodies.get(function, (None,))
    path = split_path(own_path) if own_path is not None else _home(graph, function)
    for text in texts:
        for statement in parsed(text):
            for name, body in [(statement.name, statement.body), *nodes_of(statement.body)]:
                if name in _WRITES and _carries_rows(graph, name, body, path, held):
                    oid = graph.relation(_parts(body["relation"]), path)
                    yield from [oid] if oid is not None else []


def _carries_rows(
    graph: DependencyGraph,
    name: str,
    body: Mapping[str, Any],
    path: tuple[str, ...],
    held: frozenset[int],
) -> bool:
    """Whether what is written is made of the row, of a variable, or of rows that are held."""
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
        return any(oid in held or oid is None for oid in read) or any(
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


# A body that PostgreSQL keeps parsed, as a text: all names in it are qualified.
_PARSED = """
SELECT
    p.oid::int8,
    'CREATE FUNCTION f() RETURNS void LANGUAGE sql ' || pg_catalog.pg_get_function_sqlbody(p.oid),
    'sql'
FROM pg_catalog.pg_proc AS p
WHERE p.oid = ANY (%s) AND p.prosqlbody IS NOT NULL
"""
