"""All rules that only read the catalog, in one look at it: what they share is read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from pytest_housekeeping.checks.rules.evaluation import (
    PLANNING,
    Evaluation,
    Scope,
    run_readonly,
    select,
)
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.postgres.connection import Connection


def evaluate_together(
    connection: Connection, scope: Scope, rules: Iterable[Rule]
) -> Mapping[str, Evaluation]:
    """What each rule's query returns, by the rule's id; a rule with a proof is left out.

    Nothing where they cannot run together: run alone, the one that is broken is named.
    """
    static = [rule for rule in rules if not rule.proof]
    if not static:
        return {}
    try:
        text = _text(connection, scope, static)
        (found,) = run_readonly(connection, text, settings=PLANNING)
    except psycopg.Error:
        return {}
    return {
        rule.id: Evaluation(
            examined=_examined(scope, rule, found["tables"], counted),
            rows=tuple(rows),
        )
        for rule, counted, rows in zip(static, found["counted"], found["rows"], strict=True)
    }


def _examined(scope: Scope, rule: Rule, tables: int, counted: int) -> int:
    if not tables:
        return len(scope.schemas) if scope.reachable_only else 0
    return tables if rule.examines in ("hk_table", "hk_any_table") else tables + counted


def _text(connection: Connection, scope: Scope, rules: list[Rule]) -> bytes:
    queries = ",\n".join(
        f"hk_finding_{number} AS (\n{rule.query}\n)" for number, rule in enumerate(rules)
    )
    rows = "\nUNION ALL\n".join(
        f"SELECT {number} AS number, (SELECT pg_catalog.count(*) FROM {rule.examines}) AS counted,"
        " (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)"
        ' ORDER BY f.object::text COLLATE "C", pg_catalog.to_jsonb(f)::text COLLATE "C"), \'[]\')'
        f" FROM hk_finding_{number} AS f) AS found"
        for number, rule in enumerate(rules)
    )
    return select(
        connection,
        scope,
        "SELECT pg_catalog.jsonb_build_object("
        "'tables', (SELECT pg_catalog.count(*) FROM hk_any_table),"
        " 'counted', pg_catalog.jsonb_agg(r.counted ORDER BY r.number),"
        " 'rows', pg_catalog.jsonb_agg(r.found ORDER BY r.number)) FROM hk_rows AS r",
        extra=f"{queries},\nhk_rows AS (\n{rows}\n)",
    )
