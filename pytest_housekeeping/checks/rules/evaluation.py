"""Run a rule's query over the declared part of the catalog and read its findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule, fill, scope_sql
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding
from pytest_housekeeping.postgres.connection import Connection, tried
from pytest_housekeeping.sql.identifiers import quoted

_PART = re.compile(r"^(hk_\w+)[^\n]* AS \(\n.*?^\)", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\bhk_\w+")
_READ_ONLY = b"SET LOCAL transaction_read_only = on; SET LOCAL search_path = '';\n"


# What the rules share is materialised, and how large it is PostgreSQL can only guess: a nested
# loop over two guesses is what takes minutes, and compiling the plan takes longer than running it.
PLANNING = "SET LOCAL jit = off; SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'; "


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a rule looks over: the row-level-security contract, or one boundary contract."""

    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    policies: str = "[]"
    reachable_only: bool = False
    gentle: bool = False
    source_roles: tuple[str, ...] = ()
    source_schemas: tuple[str, ...] = ()
    target_roles: tuple[str, ...] = ()
    target_schemas: tuple[str, ...] = ()
    target_tables: tuple[str, ...] = ()
    claimed_tables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What a rule's query returned, and how much there was to look over."""

    examined: int
    rows: tuple[Mapping[str, Any], ...]


def scope_of_rls(
    contract: RlsContract, *, reachable_only: bool = False, gentle: bool = False
) -> Scope:
    return Scope(
        schemas=contract.schemas,
        roles=contract.roles,
        context=contract.context,
        policies=contract.policies_json(),
        reachable_only=reachable_only,
        gentle=gentle,
    )


def scope_of_contract(boundaries: Boundaries, contract: Contract) -> Scope:
    target = boundaries.target(contract)
    return Scope(
        source_roles=boundaries.source(contract).roles,
        source_schemas=boundaries.source(contract).schemas,
        target_roles=target.roles,
        target_schemas=target.schemas,
        target_tables=target.tables,
        claimed_tables=tuple(
            table for part in boundaries.parts if part.name != target.name for table in part.tables
        ),
    )


def evaluate(connection: Connection, scope: Scope, rule: Rule) -> Evaluation:
    """Run the rule's query, read-only. Raises RuleBroken with PostgreSQL's own words.

    ``examined`` counts the tables that are in scope and, where the rule is about something
    else, these too: a database without views does not fail the rule for views, one without a
    table fails them all.
    """
    base = "hk_target_relation" if scope.target_schemas or scope.target_tables else "hk_any_table"
    text = select(
        connection,
        scope,
        f"SELECT (SELECT pg_catalog.count(*) FROM {base}),"
        f" (SELECT pg_catalog.count(*) FROM {rule.examines}),"
        " (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)"
        ' ORDER BY f.object::text COLLATE "C", pg_catalog.to_jsonb(f)::text COLLATE "C"), \'[]\')'
        " FROM hk_finding AS f)",
        extra=f"hk_finding AS (\n{rule.query}\n)",
    )
    try:
        row = run_readonly(connection, text, settings=PLANNING)
    except psycopg.Error as error:
        raise broken(rule, error) from None
    tables, looked_over, rows = row
    if rule.examines == base or rule.examines == "hk_table":
        looked_over = 0
    empty = len(scope.schemas) if scope.reachable_only else 0
    return Evaluation(examined=tables + looked_over if tables else empty, rows=tuple(rows))


def select(connection: Connection, scope: Scope, query: str, *, extra: str = "") -> bytes:
    """The query behind the scope's common table expressions, its values as literals."""
    values = {
        name: sql.Literal(list(value) if isinstance(value, tuple) else value).as_string(connection)
        for name, value in (
            ("schemas", scope.schemas),
            ("roles", scope.roles),
            ("context", scope.context),
            ("policies", scope.policies),
            ("reachable_only", scope.reachable_only),
            ("source_roles", scope.source_roles),
            ("source_schemas", scope.source_schemas),
            ("target_roles", scope.target_roles),
            ("target_schemas", scope.target_schemas),
            ("target_tables", scope.target_tables),
            ("claimed_tables", scope.claimed_tables),
        )
    }
    needed = _needed(f"{extra}\n{query}")
    parts = [*(fill(part, values) for part in needed), *([extra] if extra else [])]
    return ("WITH RECURSIVE\n" + ",\n".join(parts) + "\n" + query).encode()


@cache
def _parts() -> Mapping[str, str]:
    """The scope's common table expressions by name, in order."""
    return {match[1]: match[0] for match in _PART.finditer(scope_sql())}


def _needed(text: str) -> list[str]:
    """Those that a text names, and those that they name: PostgreSQL analyses every one given."""
    parts = _parts()
    wanted: set[str] = set()
    named = set(_NAME.findall(text)) & parts.keys()
    while named:
        wanted |= named
        named = {
            name for part in named for name in _NAME.findall(parts[part]) if name in parts
        } - wanted
    return [part for name, part in parts.items() if name in wanted]


def run_readonly(connection: Connection, text: bytes, *, settings: str = "") -> tuple[Any, ...]:
    """The one row of a query that may not write. With an empty search_path PostgreSQL prints
    every name with its schema, the same in each session."""
    before = _READ_ONLY + settings.encode()
    cursor = tried(connection, before + text)
    for _ in range(before.count(b";")):
        cursor.nextset()
    row = cursor.fetchone()
    if row is None:
        raise RuleBroken("a query that must return one row returned none")
    return row


def seen_as(findings: Iterable[Finding], role: str) -> tuple[Finding, ...]:
    """The findings, shown as an untrusted role where a rule does not say as which."""
    return tuple(replace(each, leak=fill(each.leak, {"role": quoted(role)})) for each in findings)


def findings_of(rule: Rule, rows: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """The rows as findings; a row's own ``fix`` stands in for the rule's.

    Raises RuleBroken when a row says neither what it is about nor what was seen.
    """
    found = []
    for row in rows:
        values = {key: str(value) for key, value in row.items() if value is not None}
        if "object" not in values or "detail" not in values:
            raise RuleBroken(
                f"rule {rule.id!r} returned a finding without object or detail",
                why="a finding that names nothing can be neither repaired nor exempted",
                fix="return the columns object and detail, both not null",
            )
        found.append(
            Finding(
                rule=rule.id,
                level=rule.level,
                object=values["object"],
                detail=values["detail"],
                fix=fill(values.get("fix", rule.fix), values),
                # A policy, rule or trigger is called by its table as well.
                leak=fill(rule.leak, {"on": values["object"].rpartition(" ON ")[2], **values}),
            )
        )
    return tuple(found)


def broken(rule: Rule, error: psycopg.Error) -> RuleBroken:
    words = error.diag.message_primary or str(error).strip()
    return RuleBroken(
        f"rule {rule.id!r} could not run: {error.sqlstate} {words}",
        why="a rule that did not run has found nothing out, and must not pass",
        fix=error.diag.message_hint or "correct the query of the rule",
    )


def unknown_proof(rule: Rule, known: Iterable[str]) -> RuleBroken:
    return RuleBroken(
        f"rule {rule.id!r} asks for the proof {rule.proof!r}, which is not known",
        why="a rule whose proof is not made would pass unproved",
        fix=f"one of {', '.join(sorted(known))}",
    )
