"""What the planner leaves undecided, and a table's own constraints decide: ``tenant = ''`` passes
no row where CHECK (tenant <> '') holds.

Only constraints count that hold for every row: validated ones
(https://www.postgresql.org/docs/16/ddl-constraints.html), in which nothing is called but immutable
functions of PostgreSQL. A condition that fixes all of a constraint's columns is tried on it: where
the constraint is false for these values, no row has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.context_only import ContextOnly
from pytest_housekeeping.checks.rls.expressions.disjuncts import disjuncts
from pytest_housekeeping.checks.rls.expressions.names import own_columns_in
from pytest_housekeeping.checks.rls.expressions.readable import (
    UnreadableExpression,
    parse_expression,
)
from pytest_housekeeping.checks.rls.expressions.syntax_tree import names_of
from pytest_housekeeping.checks.rls.literals import literal
from pytest_housekeeping.checks.rls.planner.ask import (
    PlannerOutcome,
    PlannerProof,
)
from pytest_housekeeping.checks.rls.planner.fixed_columns import fixed_columns
from pytest_housekeeping.checks.rls.planner.question import PlannerQuestion
from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.parser import is_a, walk

# Types of which no two different values are equal.
_EXACT = frozenset({"text", "character varying", "uuid", "smallint", "integer", "bigint", "date"})
# The one overload that is not immutable takes the name of an encoding.
_LENGTH = "length"


def closed_by_constraints(
    connection: Connection,
    context_only: ContextOnly,
    questions: Sequence[PlannerQuestion],
    proofs: Sequence[PlannerProof],
) -> frozenset[int]:
    """The places of the questions that are undecided, and that no row passes which the constraints
    of its table let in."""
    undecided = [
        place
        for place, proof in enumerate(proofs)
        if proof.outcome is PlannerOutcome.UNDECIDED and not proof.reason
    ]
    if not undecided:
        return frozenset()
    constraints = _read_constraints(connection, [questions[place] for place in undecided])
    tried: list[tuple[int, int, str]] = []
    parts: dict[int, int] = {}
    for place in undecided:
        known = constraints[questions[place].table.object]
        try:
            left = disjuncts(parse_expression(proofs[place].left))
        except UnreadableExpression:
            continue
        parts[place] = len(left)
        for number, disjunct in enumerate(left):
            fixed = dict(fixed_columns(disjunct, known["columns"]))
            tried += [
                (place, number, statement)
                for check in known["checks"]
                for statement in _refutation(check, fixed, known["columns"], context_only)
            ]
    results = attempt_all(connection, [Attempt(statement=each) for _, _, each in tried])
    refuted = {
        (place, number)
        for (place, number, _), result in zip(tried, results, strict=True)
        if result.value is True
    }
    return frozenset(
        place
        for place, many in parts.items()
        if all((place, number) in refuted for number in range(many))
    )


def _refutation(
    check: Mapping[str, str],
    fixed: Mapping[str, str],
    types: Mapping[str, str],
    context_only: ContextOnly,
) -> Iterator[str]:
    """Asks whether the constraint is false for the fixed values; nothing where it may be relied on
    for less than all rows, or depends on more."""
    try:
        tree, named = parse_expression(check["text"]), own_columns_in(check["text"])
    except UnreadableExpression:
        return
    named -= {"value"} if check["domain_of"] else frozenset()
    wanted = {check["domain_of"]} if check["domain_of"] else set(named)
    if not wanted or not wanted <= fixed.keys() or (check["domain_of"] and named):
        return
    for item in walk(tree):
        if is_a(item, "SQLValueFunction", "SubLink"):
            return
        if is_a(item, "FuncCall"):
            *schema, name = names_of(item.funcname)
            immutable = name in context_only.immutable_builtins or name == _LENGTH
            if schema not in ([], ["pg_catalog"]) or not immutable:
                return
    values = ", ".join(
        f"({literal(fixed[name])})::{types[name]}"
        f" AS {'value' if check['domain_of'] else in_quotes(name)}"
        for name in sorted(wanted)
    )
    yield f"SELECT ({check['text']}) IS FALSE FROM (SELECT {values}) AS hk_row"


def _read_constraints(
    connection: Connection, questions: Sequence[PlannerQuestion]
) -> Mapping[str, Any]:
    tables = sorted({each.table.object for each in questions})
    text = sql.SQL(_QUERY).format(tables=sql.Literal(tables), exact=sql.Literal(sorted(_EXACT)))
    (found,) = run_readonly(connection, text.as_bytes(connection))
    return dict(found)


_QUERY = """
SELECT pg_catalog.jsonb_object_agg(t.name, pg_catalog.jsonb_build_object(
    'columns', (
        SELECT coalesce(pg_catalog.jsonb_object_agg(
            a.attname, pg_catalog.format_type(coalesce(d.base, a.atttypid), NULL)
        ), '{{}}')
        FROM pg_catalog.pg_attribute AS a
        LEFT JOIN pg_catalog.pg_collation AS c ON a.attcollation = c.oid
        LEFT JOIN LATERAL (
            SELECT y.typbasetype AS base FROM pg_catalog.pg_type AS y
            WHERE y.oid = a.atttypid AND y.typtype = 'd'
        ) AS d ON true
        WHERE
            a.attrelid = t.oid
            AND a.attnum > 0
            AND NOT a.attisdropped
            AND coalesce(c.collisdeterministic, true)
            AND pg_catalog.format_type(coalesce(d.base, a.atttypid), NULL) = ANY ({exact})
    ),
    'checks', (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'text', k.text, 'domain_of', k.domain_of
        ) ORDER BY k.text), '[]')
        FROM (
            SELECT pg_catalog.pg_get_expr(c.conbin, c.conrelid) AS text, NULL AS domain_of
            FROM pg_catalog.pg_constraint AS c
            WHERE c.conrelid = t.oid AND c.contype = 'c' AND c.convalidated
            UNION ALL
            SELECT pg_catalog.pg_get_expr(c.conbin, 0), a.attname
            FROM pg_catalog.pg_constraint AS c
            INNER JOIN pg_catalog.pg_attribute AS a ON c.contypid = a.atttypid
            WHERE
                a.attrelid = t.oid AND NOT a.attisdropped AND c.contype = 'c' AND c.convalidated
        ) AS k
    )
))
FROM (
    SELECT n.name, pg_catalog.to_regclass(n.name)::oid AS oid
    FROM pg_catalog.unnest({tables}::text[]) AS n (name)
) AS t
"""
