"""dbmate, goose and their like: two halves of one file, each in the lines in which it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.given_past import given_past
from pytest_housekeeping.sql.layouts.read import as_recorded, listing
from support.layout_ground import read_layout

AT = "db/migrations"
MARKS = {
    "dbmate": ("-- migrate:up", "-- migrate:down"),
    "goose": ("-- +goose Up", "-- +goose Down"),
    "sql-migrate": ("-- +migrate Up", "-- +migrate Down"),
    "tern": ("-- up", "---- create above / drop below ----"),
    "node-pg-migrate": ("-- Up Migration", "-- Down Migration"),
}
TOOLS = pytest.mark.parametrize("tool", MARKS)
# They refuse a file that does not say where its way up begins.
MARKED = pytest.mark.parametrize("tool", ["dbmate", "goose", "sql-migrate"])


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


@MARKED
def test_a_file_without_the_mark_is_refused(tmp_path: Path, tool: str) -> None:
    files = {f"{AT}/1_a.sql": "DROP TABLE t;"}
    found = read_layout(tmp_path, files, settings=f'layout = "{tool}"\nmigrations = "{AT}"')
    assert [said for _, said in found.problems("1_a.sql")] == [f"no line says {MARKS[tool][0]}"]


@MARKED
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


@pytest.mark.parametrize("tool", ["dbmate", "goose"])
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
        "sql-migrate": f"-- +migrate Up notransaction\n{index}\n"
        f"-- +migrate Down notransaction\n{drop}",
        "tern": f"---- tern: disable-tx ----\n{index}\n{MARKS['tern'][1]}\n{drop}",
        "goose": f"-- +goose NO TRANSACTION\n-- +goose Up\n{index}\n-- +goose Down\n{drop}",
    }
    for tool, text in texts.items():
        found = read_layout(tmp_path / tool, {f"{AT}/1_a.sql": text})
        for name in ("1_a.sql", "#down"):
            assert (found.file(name).transaction, found.problems(name)) == ("none", [])


@pytest.mark.parametrize("tool", ["tern", "node-pg-migrate"])
def test_a_file_without_a_mark_is_the_way_up(tmp_path: Path, tool: str) -> None:
    settings = f'layout = "{tool}"\nmigrations = "{AT}"'
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": "DROP TABLE t;"}, settings=settings)
    assert found.problems("1_a.sql") == []
    assert found.paths(Kind.ROLLBACK) == []


@pytest.mark.parametrize("tool", ["tern", "node-pg-migrate"])
def test_a_folder_is_its_own_where_some_files_bear_no_mark(tmp_path: Path, tool: str) -> None:
    files = {f"{AT}/1_a.sql": "SELECT 1;", f"{AT}/2_b.sql": halves(tool, "SELECT 2;")}
    assert read_layout(tmp_path / "half", files).config.layout == tool
    files[f"{AT}/3_c.sql"] = "SELECT 3;"
    assert read_layout(tmp_path / "less", files).config.layout != tool


def test_what_goes_up_again_behind_the_way_back_is_no_part_of_it(tmp_path: Path) -> None:
    text = halves("sql-migrate", "SELECT 1;", "SELECT 2;\n") + halves("sql-migrate", "SELECT 3;")
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text})
    assert found.problems("1_a.sql") == [(5, "-- +migrate Up stands again behind the way back")]


def test_two_files_of_one_number_go_by_their_names_where_the_tool_runs_both(
    tmp_path: Path,
) -> None:
    names = ("1_b.sql", "1-a.sql", "10_d.sql", "2.sql")
    for tool, second in (("sql-migrate", "2.sql"), ("node-pg-migrate", "10_d.sql")):
        files = {f"{AT}/{name}": halves(tool, "SELECT 1;") for name in names}
        found = read_layout(tmp_path / tool, files, settings='baseline = "1_b"')
        assert (found.errors, found.paths()[:3]) == ("", ["1-a.sql", "1_b.sql", second])
        past = [each.path for each in given_past(found.config, found.sources)]
        assert past == [f"{AT}/1-a.sql", f"{AT}/1_b.sql"]


def test_each_is_known_to_its_tool_by_its_name(tmp_path: Path) -> None:
    for tool, known in (("sql-migrate", "1_a.sql"), ("node-pg-migrate", "1_a")):
        files = {f"{AT}/1_a.sql": halves(tool, "SELECT 1;")}
        found = read_layout(tmp_path / tool, files)
        entries = listing(found.config, found.sources).of(Kind.MIGRATION)
        ((entry),) = as_recorded(found.config, found.sources, entries)
        assert entry.version == known


def test_a_time_to_the_millisecond_is_a_time_however_it_is_written(tmp_path: Path) -> None:
    names = ("20240101000000001_b.sql", "1704067200000_a.sql", "1704067200002_c.sql")
    files = {f"{AT}/{name}": halves("node-pg-migrate", "SELECT 1;") for name in names}
    assert [name[-5] for name in read_layout(tmp_path, files).paths()] == ["a", "b", "c"]


def test_a_migration_in_code_is_refused_by_name(tmp_path: Path) -> None:
    files = {f"{AT}/1_a.sql": halves("node-pg-migrate", "SELECT 1;"), f"{AT}/2_b.js": ""}
    files[f"{AT}/2_b.d.ts"] = ""
    told = read_layout(tmp_path, files).errors
    assert f"{AT}/2_b.js is a migration of node-pg-migrate in code" in told


def test_tern_is_found_by_its_settings_and_its_values_are_placeholders(tmp_path: Path) -> None:
    text = "GRANT SELECT ON t TO {{ .role }}, {{.role}};\n"
    files = {f"{AT}/tern.conf": "", f"{AT}/001_a.sql": text}
    found = read_layout(tmp_path / "a", files, settings='placeholders = { role = "app" }')
    assert found.config.layout == "tern"
    assert found.text("001_a.sql") == "GRANT SELECT ON t TO app, app;\n"
    assert found.problems("001_a.sql") == []
    found = read_layout(tmp_path / "b", files)
    assert {line for line, _ in found.problems("001_a.sql")} == {1}
    files[f"{AT}/001_a.sql"] = 'SELECT 1;\n{{ template "shared/x.sql" . }}\n'
    [told] = read_layout(tmp_path / "c", files).file("001_a.sql").problems
    said = '{{ template "shared/x.sql" . }} is a template of tern'
    # Of a file that is history as well: the parser would tell of the brace alone.
    assert (told.line, told.found, told.unreadable) == (2, said, True)


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
