"""Whether an expression depends on nothing but the context: the settings and the current role.

Why a value may then stand in for the expression: it is the same in every session that acts as this
role with these settings. So nothing is accepted that reads a table, the clock, chance or who has
logged in. PostgreSQL's volatility classes do not say this: a STABLE function may read tables
(https://www.postgresql.org/docs/16/xfunc-volatility.html). Built-in functions are accepted where
they are IMMUTABLE or named below, functions of the project where all that their bodies call is
accepted in turn; what is not understood is not accepted. Values are read per role, so CURRENT_USER
is, and SESSION_USER is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.function_bodies import (
    BodyUnread,
    ProjectFunction,
    queries_of,
)
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.declarations.identity import SETTING_NAME
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parser import Node, children, is_a, walk

# STABLE for the sake of rare arguments, or because they read catalogs that a policy relies on.
_ACCEPTED = frozenset(
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


@dataclass(kw_only=True)
class ContextOnly:
    """Answers for one database whether an expression depends on the context alone.

    ``overloads`` reads the project's functions of a name, which is asked for each name once.
    ``settings`` are those that the expressions asked about have read. ``parts`` and ``disjuncts``
    remember what was made of each expression.
    """

    immutable_builtins: frozenset[str]
    set_returning: frozenset[str]
    overloads: Callable[[str], Sequence[ProjectFunction]]
    aggregates: frozenset[str] = frozenset()
    settings: set[str] = field(default_factory=set)
    parts: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    disjuncts: dict[Any, tuple[str, ...]] = field(default_factory=dict)
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)
    _read: dict[str, Sequence[ProjectFunction]] = field(default_factory=dict)

    def holds(self, node: Any) -> bool:
        """Below the node no table is read, and each function gives the same in every session."""
        current_role = (
            "SVFOP_CURRENT_ROLE",
            "SVFOP_CURRENT_USER",
            "SVFOP_USER",
        )
        for item in walk(node):
            if is_a(item, "RangeVar"):
                return False
            if is_a(item, "SQLValueFunction") and item.op not in current_role:
                return False
            if is_a(item, "FuncCall") and not self._holds_for_call(item):
                return False
        return True

    def returns_rows(self, node: Any) -> bool:
        """A set-returning function is called in it, outside of any sub-select."""
        if is_a(node, "SubLink"):
            return False
        if is_a(node, "FuncCall") and names_of(node.funcname)[-1] in self.set_returning:
            return True
        return any(self.returns_rows(child) for child in children(node))

    def _holds_for_call(self, call: Node) -> bool:

        *schema, name = names_of(call.funcname)
        # A window function or count(*) looks at other rows.
        if call.over is not None or call.agg_star:
            return False
        if name == "current_setting" and schema in ([], [_CATALOG]):
            first = call.args[0] if call.args else None
            while is_a(first, "TypeCast"):
                first = first.arg
            text = getattr(getattr(first, "val", None), "sval", None)
            if not isinstance(text, str) or not SETTING_NAME.fullmatch(text):
                return False
            self.settings.add(text.lower())
            return True
        if schema in ([], [_CATALOG]) and (name in self.immutable_builtins or name in _ACCEPTED):
            return True
        return self._holds_for_name(schema[-1] if schema else "", name)

    def _holds_for_name(self, schema: str, name: str) -> bool:
        key = (schema, name)
        if key not in self._known:
            self._known[key] = False  # the answer for a function that calls itself
            # The types of the arguments are not known here, so each overload may be the one called.
            overloads = [each for each in self.functions(name) if schema in ("", each.schema)]
            self._known[key] = bool(overloads) and all(
                self._holds_for_function(each) for each in overloads
            )
        return self._known[key]

    def functions(self, name: str) -> Sequence[ProjectFunction]:
        """The project's functions of a name."""
        if name not in self._read:
            self._read[name] = self.overloads(name)
        return self._read[name]

    def _holds_for_function(self, function: ProjectFunction) -> bool:
        try:
            return all(self.holds(node) for node in queries_of(function))
        except BodyUnread:
            return False


def read_context_only(connection: Connection) -> ContextOnly:
    """Read the names of PostgreSQL's own functions; those of the project are read when one is
    called, so that it does not matter how many there are."""
    immutable, set_returning, aggregates = run_readonly(connection, _NAMES)
    return ContextOnly(
        immutable_builtins=frozenset(immutable),
        set_returning=frozenset(set_returning),
        aggregates=frozenset(aggregates),
        overloads=lambda name: _project_functions(connection, name),
    )


def _project_functions(connection: Connection, name: str) -> tuple[ProjectFunction, ...]:
    text = sql.SQL(_FUNCTIONS).format(sql.Literal(name)).as_bytes(connection)
    (items,) = run_readonly(connection, text)
    return tuple(ProjectFunction(**item) for item in items)


_NAMES = b"""
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
    (SELECT pg_catalog.array_agg(DISTINCT p.proname::text) FROM pg_catalog.pg_proc AS p
        WHERE p.prokind = 'a')
"""
_FUNCTIONS = """
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'name', p.proname,
    'language', l.lanname,
    'source', CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE '' END,
    'definition', CASE
        WHEN l.lanname IN ('sql', 'plpgsql') THEN pg_catalog.pg_get_functiondef(p.oid)
        ELSE ''
    END
) ORDER BY p.oid), '[]')
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
INNER JOIN pg_catalog.pg_language AS l ON p.prolang = l.oid
WHERE
    p.proname = {}
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND p.prokind = 'f'
"""
