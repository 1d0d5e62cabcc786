"""Evaluate all rules that only read the catalog in one query, so that PostgreSQL reads once what
they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from pytest_housekeeping.checks.rules.evaluation import (
    PLANNING,
    Evaluation,
    count_examined,
    rows_as_json,
    tables_of,
)
from pytest_housekeeping.checks.rules.scope import RuleScope, run_readonly, scoped_query
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.postgres.connection import Connection


def evaluate_batch(
    connection: Connection, scope: RuleScope, rules: Iterable[Rule]
) -> Mapping[str, Evaluation]:
    """What each rule's query returns, by the rule's id; rules with a proof are left out.

    Empty where the query of one of them fails: run alone by ``evaluate``, the broken one is named.
    """
    static = [rule for rule in rules if not rule.proof]
    if not static:
        return {}
    try:
        (found,) = run_readonly(
            connection, _batch_query(connection, scope, static), settings=PLANNING
        )
    except psycopg.Error:
        return {}
    return {
        rule.id: Evaluation(
            examined=count_examined(scope, rule, tables=found["tables"], others=counted),
            rows=tuple(rows),
        )
        for rule, counted, rows in zip(static, found["counted"], found["rows"], strict=True)
    }


def _batch_query(connection: Connection, scope: RuleScope, rules: list[Rule]) -> bytes:
    """Each rule's query is planned by itself.

    An expression that is named once is otherwise folded into the query around it, and so is every
    branch of a UNION ALL: PostgreSQL then goes through all rules again for each of them.
    https://www.postgresql.org/docs/16/queries-with.html#QUERIES-WITH-CTE-MATERIALIZATION
    """
    queries = ",\n".join(
        f"hk_finding_{number} AS MATERIALIZED (\n{rule.query}\n)"
        for number, rule in enumerate(rules)
    )
    rows = "\nUNION ALL\n".join(
        f"SELECT {number} AS number, (SELECT pg_catalog.count(*) FROM {rule.examines}) AS counted,"
        f" ({rows_as_json(f'hk_finding_{number}')}) AS found"
        for number, rule in enumerate(rules)
    )
    return scoped_query(
        connection,
        scope,
        "SELECT pg_catalog.jsonb_build_object("
        f"'tables', (SELECT pg_catalog.count(*) FROM {tables_of(scope)}),"
        " 'counted', pg_catalog.jsonb_agg(r.counted ORDER BY r.number),"
        " 'rows', pg_catalog.jsonb_agg(r.found ORDER BY r.number)) FROM hk_rows AS r",
        extra=f"{queries},\nhk_rows AS MATERIALIZED (\n{rows}\n)",
    )
