"""What a rule looks over: the declared part of the catalog, as common table expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from psycopg import sql

from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import fill, scope_sql
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, tried

_EXPRESSION = re.compile(
    r"^(hk_\w+)[^\n]* AS (?:NOT MATERIALIZED )?\(\n.*?^\)", re.MULTILINE | re.DOTALL
)
_NAME = re.compile(r"\bhk_\w+")
_READ_ONLY = b"SET LOCAL transaction_read_only = on; SET LOCAL search_path = '';\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleScope:
    """The row-level-security contract, or one boundary contract, as the rules' queries need it.

    ``unfinished``: the schema is still being built. Rules then look only at tables on which an
    untrusted role holds a privilege, what is undecided there is a warning, and a schema without
    any table counts as examined. ``avoid_locks``: other sessions are at work in this database, so
    a proof locks no table that this transaction has not locked already.
    """

    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    policies: str = "[]"
    public: str = "[]"
    unfinished: bool = False
    avoid_locks: bool = False
    source_roles: tuple[str, ...] = ()
    source_schemas: tuple[str, ...] = ()
    target_roles: tuple[str, ...] = ()
    target_schemas: tuple[str, ...] = ()
    target_tables: tuple[str, ...] = ()
    claimed_tables: tuple[str, ...] = ()


def rls_scope(
    contract: RlsContract, *, unfinished: bool = False, avoid_locks: bool = False
) -> RuleScope:
    """The scope of a rule about row-level security: what ``rls.toml`` declares."""
    return RuleScope(
        schemas=contract.schemas,
        roles=contract.roles,
        context=contract.context,
        policies=contract.policies_json(),
        public=contract.public_json(),
        unfinished=unfinished,
        avoid_locks=avoid_locks,
    )


def boundary_scope(boundaries: Boundaries, contract: Contract) -> RuleScope:
    """The scope of a rule about boundaries: the source and the target of one contract."""
    source, target = boundaries.source(contract), boundaries.target(contract)
    return RuleScope(
        source_roles=source.roles,
        source_schemas=source.schemas,
        target_roles=target.roles,
        target_schemas=target.schemas,
        target_tables=target.tables,
        claimed_tables=tuple(
            table for part in boundaries.parts if part.name != target.name for table in part.tables
        ),
    )


def scoped_query(connection: Connection, scope: RuleScope, query: str, *, extra: str = "") -> bytes:
    """The query behind the common table expressions of ``rules/scope/`` that it names.

    The scope's values stand in it as literals. ``extra`` is one more common table expression, or
    several, that may name those of ``rules/scope/``.
    """
    given = {each.name: getattr(scope, each.name) for each in fields(scope)}
    values = {
        name: sql.Literal(list(value) if isinstance(value, tuple) else value).as_string(connection)
        for name, value in given.items()
    }
    needed = _needed_expressions(f"{extra}\n{query}")
    expressions = [*(fill(text, values) for text in needed), *([extra] if extra else [])]
    return ("WITH RECURSIVE\n" + ",\n".join(expressions) + "\n" + query).encode()


def run_readonly(connection: Connection, text: bytes, *, settings: str = "") -> tuple[Any, ...]:
    """The one row of a query that may not write. Raises RuleBroken where there is none.

    With an empty search_path PostgreSQL prints every name with its schema, so that what it prints
    is the same in each session. ``settings`` are SET LOCAL statements, undone afterwards.
    https://www.postgresql.org/docs/16/ddl-schemas.html#DDL-SCHEMAS-PATH
    """
    before = _READ_ONLY + settings.encode()
    # The results of the SET statements come first, one each.
    cursor = tried(connection, before + text)
    for _ in range(before.count(b";")):
        cursor.nextset()
    row = cursor.fetchone()
    if row is None:
        raise RuleBroken("a query that must return one row returned none")
    return row


@cache
def _scope_expressions() -> Mapping[str, str]:
    """The common table expressions of ``rules/scope/`` by name, in their order."""
    return {match[1]: match[0] for match in _EXPRESSION.finditer(scope_sql())}


def _needed_expressions(text: str) -> list[str]:
    """Those that a text names, and those that they name in turn.

    PostgreSQL parses and analyses every one that it is given, whether it is used or not.
    """
    expressions = _scope_expressions()
    needed: set[str] = set()
    named = set(_NAME.findall(text)) & expressions.keys()
    while named:
        needed |= named
        named = {
            name
            for each in named
            for name in _NAME.findall(expressions[each])
            if name in expressions
        } - needed
    return [text for name, text in expressions.items() if name in needed]
