"""What depends on nothing but the context: functions and expressions read before they are asked.

A value may stand in for an expression only if it is the same in every session that has the same
context: not one that reads a table, the clock, chance, or who has logged in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from pytest_housekeeping.database import Connection
from pytest_housekeeping.guards.evaluation import run_readonly
from pytest_housekeeping.sql.parser import (
    Node,
    ParseError,
    children,
    is_a,
    parse,
    parse_plpgsql,
    walk,
)

_SETTING = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)+")

# Marked STABLE for the sake of rare arguments, or because of catalogs that a policy relies on.
_HARMLESS = frozenset(
    {
        "array_to_json",
        "array_to_string",
        "concat",
        "concat_ws",
        "format",
        "json_build_array",
        "json_build_object",
        "jsonb_build_array",
        "jsonb_build_object",
        "pg_has_role",
        "row_to_json",
        "to_json",
        "to_jsonb",
    }
)
_CATALOG = "pg_catalog"


@dataclass(frozen=True, kw_only=True, slots=True)
class Routine:
    """A function of the project: its language and its text, a body as SQL prints it."""

    schema: str
    name: str
    language: str
    source: str
    definition: str


@dataclass(kw_only=True)
class Purity:
    """Answers for one database whether an expression depends on the context alone.

    ``parts`` and ``arms`` remember what was read and written of each expression.
    """

    immutable: frozenset[str]
    sets: frozenset[str]
    routines: Mapping[str, Sequence[Routine]]
    settings: set[str] = field(default_factory=set)
    parts: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    arms: dict[Any, tuple[str, ...]] = field(default_factory=dict)
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)

    def pure(self, node: Any) -> bool:
        """No table is read, and every function is one that can be answered for."""

        whoami = (
            "SVFOP_CURRENT_ROLE",
            "SVFOP_CURRENT_USER",
            "SVFOP_USER",
        )
        for item in walk(node):
            if is_a(item, "RangeVar"):
                return False
            if is_a(item, "SQLValueFunction") and item.op not in whoami:
                return False
            if is_a(item, "FuncCall") and not self._pure_call(item):
                return False
        return True

    def gives_rows(self, node: Any) -> bool:
        """A set-returning function stands in it, outside of any sub-select."""
        if is_a(node, "SubLink"):
            return False
        if is_a(node, "FuncCall") and names_of(node.funcname)[-1] in self.sets:
            return True
        return any(self.gives_rows(child) for child in children(node))

    def _pure_call(self, call: Node) -> bool:
        *schema, name = names_of(call.funcname)
        if call.over is not None or call.agg_star:
            return False
        if name == "current_setting" and schema in ([], [_CATALOG]):
            first = call.args[0] if call.args else None
            while is_a(first, "TypeCast"):
                first = first.arg
            text = getattr(getattr(first, "val", None), "sval", None)
            if not isinstance(text, str) or not _SETTING.fullmatch(text):
                return False
            self.settings.add(text.lower())
            return True
        if schema in ([], [_CATALOG]) and (name in self.immutable or name in _HARMLESS):
            return True
        return self._pure_name(schema[-1] if schema else "", name)

    def _pure_name(self, schema: str, name: str) -> bool:
        key = (schema, name)
        if key not in self._known:
            self._known[key] = False  # a function that calls itself is not answered for
            called = [
                routine for routine in self.routines.get(name, ()) if schema in ("", routine.schema)
            ]
            self._known[key] = bool(called) and all(self._pure_routine(each) for each in called)
        return self._known[key]

    def _pure_routine(self, routine: Routine) -> bool:
        try:
            if routine.language == "plpgsql":
                return all(self.pure(node) for node in _plpgsql(routine))
            if routine.language != "sql":
                return False
            statements = parse(routine.source or routine.definition)
            return all(self.pure(_body(each.stmt)) for each in statements)
        except (ParseError, _Unread):
            return False


class _Unread(Exception):
    """A body that cannot be answered for."""


def read_purity(connection: Connection) -> Purity:
    """Read the functions that expressions may call, in one query."""
    row = run_readonly(connection, sql.SQL(_QUERY).as_bytes(connection))
    routines: dict[str, list[Routine]] = {}
    for item in row[2]:
        routines.setdefault(item["name"], []).append(Routine(**item))
    return Purity(immutable=frozenset(row[0]), sets=frozenset(row[1]), routines=routines)


def names_of(parts: Any) -> tuple[str, ...]:
    return tuple(str(part.sval) for part in parts or ())


def _body(statement: Any) -> Any:
    """What a SQL function runs: its one SELECT, or the RETURN that its definition shows."""
    if is_a(statement, "SelectStmt", "ReturnStmt"):
        return statement
    if is_a(statement, "CreateFunctionStmt") and statement.sql_body is not None:
        return statement.sql_body
    raise _Unread


def _plpgsql(routine: Routine) -> Iterator[Any]:
    tree = parse_plpgsql(routine.definition)
    text = json.dumps(tree)
    if "PLpgSQL_stmt_dyn" in text:
        raise _Unread  # EXECUTE of a built string
    for query in _queries(tree):
        for attempt in (query, f"SELECT {query}", f"SELECT {query.partition(':=')[2]}"):
            try:
                yield from _from_text(attempt)
                break
            except ParseError:
                continue
        else:
            raise _Unread


def _from_text(text: str) -> list[Any]:
    statements = [each.stmt for each in parse(text)]
    if not statements or not all(is_a(each, "SelectStmt") for each in statements):
        raise _Unread
    return statements


def _queries(tree: Any) -> Iterator[str]:
    stack: list[Any] = [tree]
    take: Callable[[], Any] = stack.pop
    while stack:
        item = take()
        if isinstance(item, Mapping):
            expression = item.get("PLpgSQL_expr")
            if isinstance(expression, Mapping):
                yield str(expression["query"])
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


_QUERY = """
SELECT
    (
        SELECT pg_catalog.array_agg(i.proname) FROM (
            SELECT p.proname::text
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
            GROUP BY p.proname
            HAVING pg_catalog.bool_and(p.provolatile = 'i' AND p.prokind = 'f')
        ) AS i
    ),
    (SELECT pg_catalog.array_agg(DISTINCT p.proname::text) FROM pg_catalog.pg_proc AS p
        WHERE p.proretset),
    (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'schema', n.nspname,
            'name', p.proname,
            'language', l.lanname,
            'source', CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE '' END,
            'definition', CASE
                WHEN l.lanname IN ('sql', 'plpgsql') THEN pg_catalog.pg_get_functiondef(p.oid)
                ELSE ''
            END
        )), '[]')
        FROM pg_catalog.pg_proc AS p
        INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
        INNER JOIN pg_catalog.pg_language AS l ON p.prolang = l.oid
        WHERE
            n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND p.prokind = 'f'
    )
"""
