"""Conditions that are true for no row, told without asking PostgreSQL."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rls.expressions.never_true import KnownRows, never_true
from pytest_housekeeping.checks.rls.expressions.readable import parse_condition

GROUND = KnownRows(
    types=(("id", "uuid"), ("name", "text"), ("day", "date")),
    required=frozenset({"id"}),
    closed=frozenset({("app", "shut")}),
    aggregates=frozenset({"count", "max"}),
)
NEVER = [
    "NULL::boolean",
    "false",
    "'f'::boolean",
    "id = NULL::uuid",
    "NULL::uuid = id",
    "id = ANY (NULL::uuid[])",
    "name ~~ NULL::text",
    "name <> ''::text AND name = ''::text",
    "slug::text = ''::text AND slug::text <> ''::text",
    "id = NULL::uuid AND name = 'x'",
    "id = NULL::uuid OR false",
    "'[]'::jsonb ? name",
    "tags @> '{NULL}'::text[]",
    "tags && '{NULL}'::uuid[]",
    "id IS NULL",
    "NOT (id IS DISTINCT FROM NULL::uuid)",
    "id::text = ''::text",
    "day::text = ''::text",
    "EXISTS (SELECT FROM app.shut s WHERE s.id = doc.id)",
    "id IN (SELECT s.id FROM app.shut s)",
    "id = ANY (ARRAY(SELECT s.id FROM app.shut s))",
    "EXISTS (SELECT FROM app.open o JOIN app.shut s ON s.id = o.id)",
    "EXISTS (SELECT FROM app.open o WHERE o.person = NULL::uuid)",
    "(SELECT s.owner FROM app.shut s WHERE s.id = doc.id) = '1'::integer",
    "EXISTS (SELECT FROM app.open o WHERE EXISTS (SELECT FROM app.shut s WHERE s.id = o.id))",
    "EXISTS (SELECT FROM app.shut s UNION SELECT FROM app.shut s)",
]
PERHAPS = [
    "tags <@ '{NULL}'::text[]",
    "tags @> '{NULL,a}'::text[]",
    "tags @> '{NULL}'::public.words",
    "id = '1'::uuid",
    "'[\"a\"]'::jsonb ? name",
    "id = NULL::uuid OR name = 'x'",
    "NOT (id = NULL::uuid)",
    "name IS NULL",
    "NOT (name IS DISTINCT FROM NULL::text)",
    "id IS DISTINCT FROM NULL::uuid",
    "name::text = ''::text",
    "name <> ''::text AND name = 'x'::text",
    "name <> ''::text OR name = ''::text",
    "next(name) <> ''::text AND next(name) = ''::text",
    "id::text = 'x'::text",
    "lower(id::text) = ''::text",
    "id OPERATOR(app.=) NULL::uuid",
    "id <> ALL (ARRAY(SELECT s.id FROM app.shut s))",
    "NOT EXISTS (SELECT FROM app.shut s)",
    "EXISTS (SELECT FROM app.open o LEFT JOIN app.shut s ON s.id = o.id)",
    "EXISTS (SELECT max(s.id) FROM app.shut s)",
    "EXISTS (SELECT count(*) FROM app.shut s)",
    "EXISTS (SELECT FROM app.shut s GROUP BY ())",
    "EXISTS (SELECT FROM app.shut s UNION SELECT FROM app.open o)",
    "EXISTS (SELECT FROM shut s)",
    "(SELECT count(*) FROM app.shut s) = '0'::bigint",
    "COALESCE(NULL::boolean, true)",
]


@pytest.mark.parametrize("condition", NEVER)
def test_what_is_true_for_no_row_is_told(condition: str) -> None:
    assert never_true(parse_condition(condition), GROUND)


@pytest.mark.parametrize("condition", PERHAPS)
def test_what_may_be_true_is_left_to_the_planner(condition: str) -> None:
    assert not never_true(parse_condition(condition), GROUND)
