"""Rules are one file each, complete or refused."""

from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError, replace
from importlib.resources import files
from pathlib import Path

import pytest

from pytest_housekeeping.declarations.rules import (
    SCOPE,
    Rule,
    fill,
    parse_rule,
    placeholders,
    scope_sql,
    shipped_rules,
    unique_rules,
)
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Level

FAMILIES = ("boundary", "covert", "doors", "policies", "privileges", "rls", "roles", "tables")

TEXT = """\
-- title: A table is red
-- level: warning
-- why: red tables hurt
--   the eye
--
--   and the mind
-- fix: ALTER TABLE {object} SET (colour = blue);
-- tripwire: CREATE TABLE {schema}.red (id integer);
-- tripwire-object: {schema}.red
-- good: CREATE TABLE {schema}.blue (id integer);
-- A remark on the query, which is no header.
SELECT t.object, 'it is red' AS detail FROM hk_table AS t;
"""


def test_a_rule_is_read_from_its_file() -> None:
    rule = parse_rule(TEXT, "red-table", "colours")
    assert rule.id == "red-table"
    assert rule.family == "colours"
    assert rule.title == "A table is red"
    assert rule.level is Level.WARNING
    assert rule.why == "red tables hurt\nthe eye\n\nand the mind"
    assert rule.tripwire.sql == "CREATE TABLE {schema}.red (id integer);"
    assert rule.tripwire.object == "{schema}.red"
    assert rule.tripwire.superuser == ""
    assert rule.query.startswith("-- A remark")
    assert rule.query.endswith("FROM hk_table AS t")


def test_a_rule_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        shipped_rules()[0].title = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    "key", ["title", "level", "why", "fix", "tripwire", "tripwire-object", "good"]
)
def test_a_rule_without_a_part_is_refused(key: str) -> None:
    lines = TEXT.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"-- {key}:"))
    end = start + 1
    while lines[end].startswith(("--   ", "--\n")) or lines[end] == "--":
        end += 1
    with pytest.raises(RuleBroken, match=f"no '{key}'"):
        parse_rule("\n".join(lines[:start] + lines[end:]), "red-table", "colours")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-- level: warning", "-- level: grave", "'grave' is none of"),
        ("-- good:", "-- colour: red\n-- good:", "unknown 'colour'"),
        ("-- good:", "-- contract: perhaps\n-- good:", "neither forbidden nor allowed"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(RuleBroken, match=message):
        parse_rule(TEXT.replace(old, new), "red-table", "colours")


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(RuleBroken) as caught:
        parse_rule("SELECT 1", "Red_Table", "colours")
    for word in ("title", "why", "tripwire", "hyphens"):
        assert word in str(caught.value)


def test_a_rule_without_a_query_is_refused() -> None:
    with pytest.raises(RuleBroken, match="no query"):
        parse_rule(TEXT.partition("-- A remark")[0], "red-table", "colours")


def test_two_rules_of_one_id_are_refused() -> None:
    rule = parse_rule(TEXT, "red-table", "colours")
    with pytest.raises(RuleBroken, match="red-table"):
        unique_rules([rule, replace(rule, family="paint")])


def test_every_file_is_a_shipped_rule() -> None:
    root = Path(str(files("pytest_housekeeping"))) / "rules"
    assert {f"{rule.family}/{rule.id}.sql" for rule in shipped_rules()} == {
        path.relative_to(root).as_posix()
        for path in root.glob("*/*.sql")
        if path.parent.name != SCOPE
    }
    assert len(shipped_rules()) >= 20


@pytest.mark.parametrize("rule", shipped_rules(), ids=lambda rule: rule.id)
def test_a_shipped_rule_teaches(rule: Rule) -> None:
    assert rule.tripwire.sql
    assert rule.good
    assert "https://www.postgresql.org/docs/" in rule.why
    assert f"{rule.examines} " in scope_sql()
    assert placeholders(rule.query) == frozenset()
    assert rule.family in FAMILIES


def test_filling_leaves_what_has_no_value() -> None:
    assert fill("{a} {b} {a}", {"a": "{b}"}) == "{b} {b} {b}"
    assert fill("{b}", {}) == "{b}"


def test_the_registry_knows_neither_pytest_nor_psycopg() -> None:
    for name in ("rules", "rls", "boundaries", "toml"):
        source = (
            files("pytest_housekeeping.declarations")
            .joinpath(f"{name}.py")
            .read_text(encoding="utf-8")
        )
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not {"pytest", "psycopg"} & {item.split(".")[0] for item in imported}
        of_sql = {item for item in imported if item.startswith("pytest_housekeeping.sql")}
        assert of_sql <= {"pytest_housekeeping.sql.text"}  # which parses nothing


def test_every_shipped_rule_shows_its_finding() -> None:
    assert [rule.id for rule in shipped_rules() if not rule.leak] == []
