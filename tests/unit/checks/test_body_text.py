"""Bodies of functions read without a database: statements, parameters, lines, what is undecided."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.running.body_text import (
    Variable,
    read_plpgsql_body,
    read_sql_body,
)

ARGUMENTS = (
    Variable(name="p_id", type="#23", number=1),
    Variable(name="row", type="#99", number=2, is_row=True),
    Variable(name="result", type="#25"),
)


def plpgsql(source: str) -> list[tuple[int, str, tuple[str, ...]]]:
    body = read_plpgsql_body(source, "f", ARGUMENTS, {"new": "#77"})
    assert body.undecided == 0
    return [(each.line, each.text, each.parameters) for each in body.statements]


@pytest.mark.parametrize(
    ("statement", "text", "more"),
    [
        ("PERFORM p_id, $1, f.p_id", "SELECT $1, $1, $1", ()),
        ("PERFORM row.total, row.*", 'SELECT ($2)."total", ($2).*', ()),
        ("PERFORM NEW.total", 'SELECT ($3)."total"', ("#77",)),
        ("PERFORM p_id.total, t.p_id FROM t", "SELECT p_id.total, t.p_id FROM t", ()),
        ("result := 'é' || result", "SELECT $3,  'é' || $3", ("#25",)),
        (
            "DELETE FROM t WHERE p_id = id AND x = TG_OP",
            "DELETE FROM t WHERE $1 = id AND x = $3",
            ("",),
        ),
        ("INSERT INTO t (p_id) VALUES (p_id)", "INSERT INTO t (p_id) VALUES ($1)", ()),
        ("UPDATE t SET p_id = p_id", "UPDATE t SET p_id = $1", ()),
        ("SELECT p_id INTO result FROM t", "SELECT $1             FROM t", ()),
    ],
)
def test_a_variable_is_a_parameter(statement: str, text: str, more: tuple[str, ...]) -> None:
    assert plpgsql(f"\nBEGIN\n  {statement};\nEND") == [(3, text, ("#23", "#99", *more))]


def test_types_of_the_catalog_are_kept_for_the_server() -> None:
    source = """
DECLARE
    a CONSTANT shop.customer%ROWTYPE;
    b shop.customer.id%TYPE := 4;
    c shop.customer; -- begin
    d record;
BEGIN
    PERFORM a.id, b, c.id, d.id, d;
END"""
    *_, (line, text, parameters) = plpgsql(source)
    assert line == 8
    assert text == 'SELECT ($3)."id", $4, ($5)."id", $6, $7'
    types = ("shop.customer%ROWTYPE", "shop.customer.id%TYPE", "shop.customer", "", "")
    assert parameters == ("#23", "#99", *types)


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN EXECUTE 'SELECT 1'; END",
        "this is no body",
        "#variable_conflict use_column\nBEGIN PERFORM 1; END",
        "DECLARE r record; BEGIN PERFORM r.*; END",
    ],
)
def test_what_is_known_at_run_time_is_undecided(source: str) -> None:
    assert read_plpgsql_body(source, "f", (), {}).undecided == 1


def test_statements_of_sql() -> None:
    found = read_sql_body("SELECT p_id;\n\nDELETE FROM t WHERE id = f.p_id", "f", ARGUMENTS[:1])
    assert [(each.line, each.text) for each in found.statements] == [
        (1, "SELECT $1"),
        (3, "DELETE FROM t WHERE id = $1"),
    ]
    for source in ("BEGIN ATOMIC\n SELECT p_id;\nEND", "RETURN p_id"):
        (only,) = read_sql_body(source, "f", ARGUMENTS[:1]).statements
        assert only.text.split() == ["SELECT", "$1"]
    assert read_sql_body("no sql", "f", ()).undecided == 1
