"""The queries in the functions that an expression calls, with its arguments in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pytest_housekeeping.checks.rls.expressions.function_bodies import (
    BodyUnread,
    ProjectFunction,
    created,
    queries_of,
)
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.sql.parser import Node, is_a, mapped, walk

# The project's functions of a name.
Functions: TypeAlias = Callable[[str], Sequence[ProjectFunction]]

_GIVEN = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_DEFAULT", "FUNC_PARAM_VARIADIC")


@dataclass(frozen=True, kw_only=True, slots=True)
class Called:
    """A query of a function's body; ``path`` is the schema in which names without one are looked
    up."""

    query: Any
    path: str


def called_queries(call: Node, functions: Functions) -> Iterator[Called]:
    """All queries that the called function may run; none where it is not the project's, or its body
    is not read."""
    *schema, name = names_of(call.funcname)
    if schema == ["pg_catalog"]:
        return
    for function in functions(name):
        if (schema and function.schema != schema[-1]) or not function.definition:
            continue  # of one in C the catalog holds no statement
        statement = created(function)
        if statement is None:
            continue
        try:
            queries = queries_of(function)
        except BodyUnread:
            continue
        arguments = dict(_arguments(statement, call, function.name))
        path = _path(statement, function.schema)
        for query in queries:
            yield Called(query=_put_in(query, arguments), path=path)


def reads_tables(node: Any, functions: Functions, deepest: int = 4) -> bool:
    """Whether an expression reads a table, itself or in a function that it calls; a body that is
    not read may."""
    for item in walk(node):
        if is_a(item, "RangeVar"):
            return True
        if not is_a(item, "FuncCall"):
            continue
        *schema, name = names_of(item.funcname)
        for function in functions(name) if schema != ["pg_catalog"] else ():
            if schema and function.schema != schema[-1]:
                continue
            try:
                queries = queries_of(function)
            except BodyUnread:
                return True
            if not deepest or any(reads_tables(each, functions, deepest - 1) for each in queries):
                return True
    return False


def _arguments(statement: Node, call: Node, function: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What stands in a body for each argument: ``name``, ``function.name`` or ``$1``."""
    parameters = [each for each in statement.parameters if each.mode in _GIVEN]
    names = [str(each.name or "") for each in parameters]
    for number, given in enumerate(call.args):
        place, argument = number, given
        if is_a(given, "NamedArgExpr"):
            place = names.index(given.name) if given.name in names else len(names)
            argument = given.arg
        yield (f"${place + 1}",), argument
        if place < len(names) and names[place]:
            yield (names[place],), argument
            yield (function, names[place]), argument


def _put_in(node: Any, arguments: Mapping[tuple[str, ...], Any]) -> Any:
    if isinstance(node, tuple):
        return tuple(_put_in(each, arguments) for each in node)
    if not isinstance(node, Node):
        return node
    if is_a(node, "ParamRef"):
        return arguments.get((f"${node.number}",), node)
    if is_a(node, "ColumnRef"):
        return arguments.get(tuple(getattr(each, "sval", "") for each in node.fields), node)
    return mapped(node, lambda each: _put_in(each, arguments))


def _path(statement: Node, schema: str) -> str:
    """The first schema of the function's search_path; its own where none is set."""
    for option in statement.options:
        if option.defname == "set" and option.arg.name == "search_path":
            for each in option.arg.args:
                found = str(getattr(each.val, "sval", ""))
                if found and not found.startswith("pg_"):
                    return found
    return schema
