"""Identifiers are quoted in one place, and nothing else in the package quotes by hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_housekeeping
from pytest_housekeeping.sql.identifiers import in_quotes, quoted, spelt, split_name, unquoted

PACKAGE = Path(pytest_housekeeping.__file__).parent
# A word of SQL behind which an identifier stands.
_WORDS = "COLUMN|CONSTRAINT|DATABASE|EXISTS|FROM|INTO|ON|POLICY|ROLE|SCHEMA|TABLE|TO|TYPE|VIEW"
_BEFORE_A_NAME = re.compile(rf"\b(?:{_WORDS}) $")
_BARE = {"column", "member", "migrator", "name", "owner", "role", "schema", "user"}
# What quotes a name.
_QUOTING = {"as_string", "in_quotes", "quoted"}
# Names that hold what was quoted elsewhere: the last part of a name, an object by kind, a type as
# PostgreSQL prints it.
_QUOTED_BEFORE = {
    ("checks/rows/columns.py", "column.type_text"),
    ("checks/mutation/mutants.py", "schema"),
    ("checks/rls/identities/visible_rows.py", "name"),
    ("checks/rls/planner/ask.py", "search.source"),
    ("checks/rls/planner/own_rows_policy.py", "name"),
    ("checks/rls/scope.py", "each.table"),
    ("checks/rls/proofs/isolation_attempts.py", "name"),
    ("checks/rls/proofs/own_changes.py", "name"),
    ("sql/repeatable.py", "name"),
}


@pytest.mark.parametrize(
    ("name", "for_sql", "for_records"),
    [
        ("plain", "plain", "plain"),
        ("order", '"order"', "order"),
        ("user", '"user"', "user"),
        ("position", '"position"', "position"),
        ("Select", '"Select"', '"Select"'),
        ('a"b', '"a""b"', '"a""b"'),
        ("x.y", '"x.y"', '"x.y"'),
        ("a$b", '"a$b"', "a$b"),
        ("über", '"über"', '"über"'),
    ],
)
def test_a_name_is_quoted_for_sql_and_for_records(
    name: str, for_sql: str, for_records: str
) -> None:
    assert quoted(name) == for_sql
    assert spelt(name) == for_records
    assert in_quotes(name).startswith('"')
    for spelling in (quoted, in_quotes, spelt):
        assert split_name(spelling(name)) == (name,)
        assert split_name(spelling(name, "b", name)) == (name, "b", name)
    assert unquoted(in_quotes(name)) == name


def trees(pattern: str) -> Iterator[tuple[str, ast.Module]]:
    """The modules in whose text it is found: to parse all of them takes seconds."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if re.search(pattern, text):
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(text)


def test_nothing_doubles_quotes_by_hand() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees(r'\.replace\(.*""')
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "replace"
        and [each.value for each in node.args if isinstance(each, ast.Constant)][:2] == ['"', '""']
    ]
    assert [each for each in found if not each.startswith("sql/identifiers.py:")] == []


def test_a_name_behind_a_word_of_sql_is_quoted() -> None:
    """In an f-string: ``{quoted(role)}`` may stand behind TO, ``{role}`` and ``{target.user}`` not.

    ``.object`` and ``.sql`` hold what the catalog, or a declaration, has quoted already.
    """
    found = [
        f"{name}: {{{ast.unparse(expression)}}}"
        for name, tree in trees(rf"\b(?:{_WORDS}) [{{\"']")
        for expression in _names_in_sql(tree)
        if (name, ast.unparse(expression)) not in _QUOTED_BEFORE
        and ast.unparse(expression) not in _quoted_names(tree)
        and not _is_quoted(expression)
    ]
    assert found == []


def _names_in_sql(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for before, value in zip(node.values, node.values[1:], strict=False):
                if (
                    isinstance(value, ast.FormattedValue)
                    and isinstance(before, ast.Constant)
                    and _BEFORE_A_NAME.search(str(before.value))
                ):
                    yield value.value


def _quoted_names(tree: ast.Module) -> set[str]:
    """The local names that a module assigns what it has quoted."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            called = {
                getattr(each.func, "attr", getattr(each.func, "id", ""))
                for each in ast.walk(node.value)
                if isinstance(each, ast.Call)
            }
            names = [each.id for each in ast.walk(node.targets[0]) if isinstance(each, ast.Name)]
            found |= set(names) if called & _QUOTING else set()
    return found


def _is_quoted(expression: ast.expr) -> bool:
    if isinstance(expression, ast.Attribute):
        return expression.attr in ("object", "sql", "examines")
    return not (isinstance(expression, ast.Name) and expression.id in _BARE)
