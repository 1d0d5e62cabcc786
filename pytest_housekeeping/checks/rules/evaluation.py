"""Run the query of one rule, and turn the rows that it returns into findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.declarations.rules import Rule, fill
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

# PostgreSQL can only guess how many rows a common table expression returns: a nested loop over two
# such guesses can take minutes, and compiling the plan takes longer than running it.
# https://www.postgresql.org/docs/16/runtime-config-query.html
PLANNING = "SET LOCAL jit = off; SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'; "


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The rows that a rule's query returned, and how many objects it looked over."""

    examined: int
    rows: tuple[Mapping[str, Any], ...]


def evaluate(connection: Connection, scope: RuleScope, rule: Rule) -> Evaluation:
    """Run the rule's query, read-only. Raises RuleBroken with PostgreSQL's own words.

    ``examined`` counts the tables in scope and, where the rule is about something else, these
    objects too: a database without views does not fail a rule about views, but one without any
    table fails them all.
    """
    text = rule_query(connection, scope, rule)
    try:
        table_count, examined_count, rows = run_readonly(connection, text, settings=PLANNING)
    except psycopg.Error as error:
        raise _could_not_run(rule, error) from None
    return Evaluation(
        examined=count_examined(scope, rule, tables=table_count, others=examined_count),
        rows=tuple(rows),
    )


def rule_query(connection: Connection, scope: RuleScope, rule: Rule) -> bytes:
    """The query for the number of tables, that of the examined objects, and the findings."""
    return scoped_query(
        connection,
        scope,
        f"SELECT (SELECT pg_catalog.count(*) FROM {tables_of(scope)}),"
        f" (SELECT pg_catalog.count(*) FROM {rule.examines}),"
        f" ({rows_as_json('hk_finding')})",
        extra=f"hk_finding AS (\n{rule.query}\n)",
    )


def tables_of(scope: RuleScope) -> str:
    """The expression for the tables that a scope is about."""
    return "hk_target_relation" if scope.target_schemas or scope.target_tables else "hk_any_table"


def rows_as_json(relation: str) -> str:
    """A query for all findings in a common table expression, as one JSON array in a fixed order."""
    return (
        "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)"
        ' ORDER BY f.object::text COLLATE "C", pg_catalog.to_jsonb(f)::text COLLATE "C"), \'[]\')'
        f" FROM {relation} AS f"
    )


def count_examined(scope: RuleScope, rule: Rule, *, tables: int, others: int) -> int:
    """How many objects a rule has looked over; without any table, none at all."""
    if tables:
        return tables + (0 if rule.examines in (tables_of(scope), "hk_table") else others)
    return len(scope.schemas) if scope.unfinished else 0


def findings_of(rule: Rule, rows: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """The rows as findings. A column ``fix`` of a row replaces the fix of the rule, ``level`` its
    level; ``role`` is the role that it is about, ``because`` the rule and the object of what it
    follows from.

    Raises RuleBroken when a row has no ``object`` or no ``detail``.
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
                level=Level(values.get("level", rule.level)),
                object=values["object"],
                detail=values["detail"],
                fix=fill(values.get("fix", rule.fix), values),
                # A policy, rule or trigger is written "name ON table": {on} is the table.
                leak=fill(rule.leak, {"on": values["object"].rpartition(" ON ")[2], **values}),
                role=values.get("role", ""),
                because=values.get("because", ""),
            )
        )
    return tuple(found)


def with_role_in_leak(findings: Iterable[Finding], role: str) -> tuple[Finding, ...]:
    """The findings, with the role put in where their ``leak`` still says ``{role}``: nobody in
    particular is affected, so anybody may look."""
    return tuple(replace(each, leak=fill(each.leak, {"role": quoted(role)})) for each in findings)


def unknown_proof(rule: Rule, known: Iterable[str]) -> RuleBroken:
    """The error for a rule whose header asks for a proof that does not exist."""
    return RuleBroken(
        f"rule {rule.id!r} asks for the proof {rule.proof!r}, which is not known",
        why="a rule whose proof is not made would pass unproved",
        fix=f"one of {', '.join(sorted(known))}",
    )


def _could_not_run(rule: Rule, error: psycopg.Error) -> RuleBroken:
    words = error.diag.message_primary or str(error).strip()
    return RuleBroken(
        f"rule {rule.id!r} could not run: {error.sqlstate} {words}",
        why="a rule that did not run has found nothing out, and must not pass",
        fix=error.diag.message_hint or "correct the query of the rule",
    )
