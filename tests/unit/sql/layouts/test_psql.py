"""What psql would do with a file: other files in it, variables, commands that show things."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.sql.text import origin
from support.layout_ground import read_layout

NAME = "sql/migrations/0001_a.sql"


def test_files_that_it_includes_stand_in_it_and_keep_their_places(tmp_path: Path) -> None:
    files = {
        NAME: "SELECT 1;\n\\ir parts/one.sql\nSELECT 4;\n\\i lib/two.sql\nSELECT 6;\n",
        "sql/migrations/parts/one.sql": "SELECT 2;\nSELECT 3;\n",
        "lib/two.sql": "-- it's\n\\ir three.sql",
        "lib/three.sql": "SELECT 5;",
    }
    (tmp_path / "x").mkdir()
    found = read_layout(tmp_path, files)
    text = found.text(NAME)
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("SELECT")] == [
        f"SELECT {number};" for number in range(1, 7)
    ]
    places = {
        line: origin(text, NAME, number) for number, line in enumerate(lines, start=1) if line
    }
    assert places["SELECT 1;"] == (NAME, 1)
    assert places["SELECT 3;"] == ("sql/migrations/parts/one.sql", 2)
    assert places["SELECT 4;"] == (NAME, 3)
    assert places["SELECT 5;"] == ("lib/three.sql", 1)
    assert places["SELECT 6;"] == (NAME, 5)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("gone.sql", "is not there"),
        ("../../../out.sql", "lies outside of the project"),
        ("0001_a.sql", "includes itself"),
    ],
)
def test_what_cannot_be_included_is_refused_by_line(tmp_path: Path, named: str, said: str) -> None:
    found = read_layout(tmp_path, {NAME: f"SELECT 1;\n\\ir {named}\n"})
    ((line, words),) = found.problems(NAME)
    assert line == 2
    assert said in words
    # History without the text would be another one.
    assert found.file(NAME).problems[0].unreadable


def test_variables_have_the_values_of_the_settings_and_of_the_file(tmp_path: Path) -> None:
    text = (
        "\\set app 'the app'\nSELECT :'who', :\"schema\".f(a::text, x[1:2]), ':who', "
        "$$:who$$; -- :who\nSELECT :'app' /* :who */, :other;"
    )
    settings = 'placeholders = { who = "it\'s", schema = "Shop" }'
    found = read_layout(tmp_path, {NAME: text}, settings=settings)
    assert found.text(NAME).splitlines() == [
        "",
        "SELECT 'it''s', \"Shop\".f(a::text, x[1:2]), ':who', $$:who$$; -- :who",
        "SELECT 'the app' /* :who */, :other;",
    ]
    assert found.problems(NAME) == [(3, "the psql variable :other")]


def test_commands_that_change_nothing_are_left_out_and_told(tmp_path: Path) -> None:
    text = (
        "\\restrict abc\n\\set ON_ERROR_STOP on\n\\echo it's\nSELECT 1;\n\\unrestrict abc\n"
        "\\unset ON_ERROR_STOP\n"
    )
    found = read_layout(tmp_path, {NAME: text})
    assert found.problems(NAME) == []
    assert [line for line, _ in found.told(NAME)] == [1, 2, 3, 5, 6]
    assert found.text(NAME).splitlines()[3] == "SELECT 1;"


def test_what_a_command_of_the_shell_prints_comes_from_the_settings(tmp_path: Path) -> None:
    text = "\\set who `cat /run/secrets/who it is`\n\\set b x`id`\nSELECT :'who', :'b';\n"
    found = read_layout(tmp_path, {NAME: text}, settings='placeholders = { who = "a", b = "c" }')
    assert (found.problems(NAME), [line for line, _ in found.told(NAME)]) == ([], [1, 2])
    assert found.text(NAME).splitlines()[2] == "SELECT 'a', 'c';"
    lacking = read_layout(tmp_path / "none", {NAME: text}).file(NAME).problems
    # Of a file that is history as well, and no syntax error besides.
    assert [(each.line, each.unreadable) for each in lacking] == [(1, True), (2, True)]
    assert lacking[0].fix == 'under [tool.housekeeping.placeholders]: who = "…"'


def test_a_variable_that_is_unset_has_no_value_any_more(tmp_path: Path) -> None:
    text = "\\set app x\nSELECT :app;\n\\unset app\nSELECT :app;\n"
    found = read_layout(tmp_path, {NAME: text})
    assert found.problems(NAME) == [(4, "the psql variable :app")]
    assert "[tool.housekeeping.placeholders]" in found.file(NAME).problems[0].fix


@pytest.mark.parametrize(
    "command", ["\\unset other", "\\copy t from 'x'", "\\c other", "\\if :x", "\\gexec"]
)
def test_other_commands_are_refused_by_name(tmp_path: Path, command: str) -> None:
    found = read_layout(tmp_path, {NAME: f"SELECT 1;\n{command}\n"})
    ((line, said),) = found.problems(NAME)
    assert (line, said) == (2, f"the psql command {command.split()[0]}")
