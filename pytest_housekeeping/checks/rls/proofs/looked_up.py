"""No function that decides for a policy reads a table by a name that a session may take over.

A name without its schema is looked for along the search_path, and in the session's own temporary
tables before all else, unless pg_temp is named there as the last:
https://www.postgresql.org/docs/16/runtime-config-client.html#GUC-SEARCH-PATH
Whoever may make a temporary table, which is everybody unless it was revoked, writes down there of
whom it is a member.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.called import Functions
from pytest_housekeeping.checks.rls.expressions.context_only import read_context_only
from pytest_housekeeping.checks.rls.expressions.function_bodies import (
    BodyUnread,
    ProjectFunction,
    queries_of,
)
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.checks.rls.proofs.request import ProofRequest
from pytest_housekeeping.checks.rules.evaluation import findings_of
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.parser import ParseError, is_a, parse, walk

_DEEPEST = 4
_TEMPORARY = "pg_temp"


@dataclass(frozen=True, kw_only=True, slots=True)
class _LookedUp:
    """A function, and a table that it reads by a name without a schema; ``path`` is the one that
    it is pinned to, or that of whoever calls it."""

    function: str
    relation: str
    path: tuple[str, ...] | None
    schema: str

    @property
    def detail(self) -> str:
        path = ", ".join(quoted(each) for each in self.path or ()) or "no schema"
        where = (
            "along the search_path of the session"
            if self.path is None
            else f"in temporary tables before its search_path ({path})"
        )
        return f"it calls {self.function}, which looks {quoted(self.relation)} up {where}"

    @property
    def fix(self) -> str:
        schemas = ("pg_catalog", self.schema) if self.path is None else self.path
        named = [quoted(each) for each in schemas if each not in ("", "$user", _TEMPORARY)]
        path = ", ".join((*named, _TEMPORARY))
        return (
            f"ALTER ROUTINE {self.function} SET search_path = {path};\n"
            "-- or write every name in its body with its schema"
        )


def prove_not_looked_up(connection: Connection, request: ProofRequest) -> Verdict:
    """Each table that a policy's functions read is named with its schema, or looked up where no
    session of the roles puts anything."""
    tables = request.chosen(request.tables(connection))
    functions = read_context_only(connection).functions
    temporary = _may_make_temporary(connection, request.contract.roles)
    # Many tables have the same policies: each text is read once.
    looked_up = cache(partial(_in_text, functions=functions, temporary=temporary))
    found = [
        {"object": policy.object, "detail": each.detail, "fix": each.fix}
        for table in tables
        for policy in table.policies
        if policy.roles
        for each in dict.fromkeys((*looked_up(policy.using), *looked_up(policy.check)))
    ]
    return Verdict(examined=len(tables), findings=findings_of(request.rule, found), unit="tables")


def _may_make_temporary(connection: Connection, roles: Sequence[str]) -> bool:
    (may,) = run_readonly(
        connection,
        sql.SQL(
            "SELECT coalesce(bool_or(pg_catalog.has_database_privilege(r.oid,"
            " pg_catalog.current_database(), 'TEMPORARY')), false)"
            " FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY ({}::text[])"
        )
        .format(sql.Literal(list(roles)))
        .as_bytes(connection),
    )
    return bool(may)


def _in_text(text: str, *, functions: Functions, temporary: bool) -> tuple[_LookedUp, ...]:
    try:
        statements = parse(f"SELECT WHERE {text}") if text else ()
    except ParseError:
        return ()  # what cannot be read is told by the other proofs
    return tuple(
        found
        for each in statements
        for found in _below(each.stmt, functions, None, _DEEPEST, temporary=temporary)
    )


def _below(
    node: Any,
    functions: Functions,
    outer: tuple[str, ...] | None,
    deepest: int,
    *,
    temporary: bool,
) -> Iterator[_LookedUp]:
    """``outer`` is the search_path that the function around is pinned to."""
    for item in walk(node):
        if not is_a(item, "FuncCall"):
            continue
        *schema, name = names_of(item.funcname)
        for function in functions(name) if schema != ["pg_catalog"] else ():
            if schema and function.schema != schema[-1]:
                continue
            path = _pinned(function, outer)
            try:
                queries = queries_of(function) if function.source else ()
            except BodyUnread:
                continue
            for query in queries:
                if not _is_safe(path, temporary=temporary):
                    yield from _named(function, query, path)
                if deepest:
                    yield from _below(query, functions, path, deepest - 1, temporary=temporary)


def _is_safe(path: tuple[str, ...] | None, *, temporary: bool) -> bool:
    if path is None or "$user" in path:
        return False
    return path[-1:] == (_TEMPORARY,) and path.count(_TEMPORARY) == 1 if temporary else True


def _named(
    function: ProjectFunction, query: Any, path: tuple[str, ...] | None
) -> Iterator[_LookedUp]:
    """The tables that a query reads by a name alone; what WITH names comes before all others."""
    items = list(walk(query))
    own = {str(item.ctename) for item in items if is_a(item, "CommonTableExpr")}
    for item in items:
        if is_a(item, "RangeVar") and not item.schemaname and str(item.relname) not in own:
            yield _LookedUp(
                function=f"{quoted(function.schema)}.{quoted(function.name)}",
                relation=str(item.relname),
                path=path,
                schema=function.schema,
            )


def _pinned(function: ProjectFunction, outer: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The search_path that a function sets, or else that of the one around it."""
    try:
        (created,) = (each.stmt for each in parse(function.definition))
    except (ParseError, ValueError):
        return outer
    for option in created.options or ():
        if option.defname == "set" and option.arg.name == "search_path":
            return tuple(str(getattr(each.val, "sval", "")) for each in option.arg.args or ())
    return outer
