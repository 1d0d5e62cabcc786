"""dbmate and goose: two halves of one file, each in the lines in which it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.model import Kind
from support.layout_ground import read_layout

AT = "db/migrations"
MARKS = {
    "dbmate": ("-- migrate:up", "-- migrate:down"),
    "goose": ("-- +goose Up", "-- +goose Down"),
}
TOOLS = pytest.mark.parametrize("tool", MARKS)


def halves(tool: str, up: str, down: str = "") -> str:
    first, second = MARKS[tool]
    return f"{first}\n{up}\n{second}\n{down}"


@TOOLS
def test_it_is_found_by_its_marks(tmp_path: Path, tool: str) -> None:
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": halves(tool, "SELECT 1;")})
    assert (found.config.layout, found.config.migrations) == (tool, AT)
    assert found.problems("1_a.sql") == []


@TOOLS
def test_each_half_runs_alone_and_in_its_own_lines(tmp_path: Path, tool: str) -> None:
    text = halves(tool, "CREATE TABLE t ();", "DROP TABLE t;\nSELEC 1;")
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text})
    assert "DROP" not in found.text("1_a.sql")
    assert "CREATE" not in found.text("1_a.sql#down")
    assert found.problems("1_a.sql") == []
    assert [line for line, _ in found.problems("1_a.sql#down")] == [5]
    assert found.file("#down").undoes == f"{AT}/1_a.sql"
    assert found.file("#down").sha256 == found.file("1_a.sql").sha256


@TOOLS
def test_an_empty_way_down_is_none(tmp_path: Path, tool: str) -> None:
    text = halves(tool, "SELECT 1;", "-- nothing\n/* to\n undo */\n")
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text})
    assert found.paths(Kind.ROLLBACK) == []


@TOOLS
def test_a_file_without_the_mark_is_refused(tmp_path: Path, tool: str) -> None:
    files = {f"{AT}/1_a.sql": "DROP TABLE t;"}
    found = read_layout(tmp_path, files, settings=f'layout = "{tool}"\nmigrations = "{AT}"')
    assert [said for _, said in found.problems("1_a.sql")] == [f"no line says {MARKS[tool][0]}"]


@TOOLS
def test_what_stands_above_the_mark_belongs_to_neither(tmp_path: Path, tool: str) -> None:
    text = "-- words\nDROP TABLE t;\n" + halves(tool, "SELECT 1;")
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text})
    assert [said for _, said in found.problems("1_a.sql")] == [
        f"statements stand above {MARKS[tool][0]}"
    ]


@TOOLS
def test_a_checkout_with_carriage_returns_is_read_the_same(tmp_path: Path, tool: str) -> None:
    text = halves(tool, "CREATE TABLE t ();", "DROP TABLE t;").replace("\n", "\r\n")
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text})
    assert "DROP" not in found.text("1_a.sql")


@TOOLS
def test_marks_of_both_in_one_folder_are_refused_by_name(tmp_path: Path, tool: str) -> None:
    other = "goose" if tool == "dbmate" else "dbmate"
    text = halves(tool, "SELECT 1;") + "\n" + halves(other, "SELECT 1;")
    with pytest.raises(Exception, match=f"(?s)more than one tool.*{other}"):
        read_layout(tmp_path, {f"{AT}/1_a.sql": text})


def test_dbmate_goes_by_the_text_of_the_name_and_goose_by_the_number(tmp_path: Path) -> None:
    names = ("2_b.sql", "10_a.sql")
    for tool, first in (("dbmate", "10_a.sql"), ("goose", "2_b.sql")):
        files = {f"{AT}/{name}": halves(tool, "SELECT 1;") for name in names}
        assert read_layout(tmp_path / tool, files).paths()[0] == first


def test_no_transaction_is_said_by_a_mark(tmp_path: Path) -> None:
    index = "CREATE INDEX CONCURRENTLY i ON t (a);"
    drop = "DROP INDEX CONCURRENTLY i;"
    texts = {
        "dbmate": f"-- migrate:up transaction:false\n{index}\n-- migrate:down transaction:false\n"
        + drop,
        "goose": f"-- +goose NO TRANSACTION\n-- +goose Up\n{index}\n-- +goose Down\n{drop}",
    }
    for tool, text in texts.items():
        found = read_layout(tmp_path / tool, {f"{AT}/1_a.sql": text})
        for name in ("1_a.sql", "#down"):
            assert (found.file(name).transaction, found.problems(name)) == ("none", [])


def test_goose_replaces_where_it_is_switched_on(tmp_path: Path) -> None:
    text = (
        "-- +goose Up\nSELECT '${A}', '$A';\n-- +goose ENVSUB ON\nSELECT '${A}', '$A';\n"
        "-- +goose ENVSUB OFF\nSELECT '$A';\n"
    )
    settings = 'placeholders = { A = "x" }'
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text}, settings=settings)
    assert [line for line in found.text("1_a.sql").splitlines() if line.startswith("SELECT")] == [
        "SELECT '${A}', '$A';",
        "SELECT 'x', 'x';",
        "SELECT '$A';",
    ]
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text})
    assert {line for line, _ in found.problems("1_a.sql")} == {4}


def test_a_migration_in_go_is_refused_by_name(tmp_path: Path) -> None:
    files = {f"{AT}/1_a.sql": halves("goose", "SELECT 1;"), f"{AT}/00002_b.go": "package x"}
    files[f"{AT}/00003_c.go"] = "package x"
    told = read_layout(tmp_path / "a", files).errors
    assert f"{AT}/00002_b.go, {AT}/00003_c.go are migrations of goose in Go" in told
    # As the message says: a file of the number that holds what it does.
    files[f"{AT}/2_b.sql"] = files[f"{AT}/3_any_name.sql"] = halves("goose", "SELECT 2;")
    found = read_layout(tmp_path / "b", files)
    assert (found.errors, found.paths()) == ("", ["1_a.sql", "2_b.sql", "3_any_name.sql"])
    assert found.found.passed_over[f"{AT}/00002_b.go"] == f"{AT}/2_b.sql holds what it does"
