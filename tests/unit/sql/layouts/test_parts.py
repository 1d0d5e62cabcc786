"""A file of several statements that no transaction can hold: its parts, and its way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.layouts.parts import cut
from pytest_housekeeping.sql.path_names import on_disk, whole_of
from support.layout_ground import ReadLayout, read_layout

AT = "db/migrations"
INDEX = "CREATE INDEX CONCURRENTLY {0} ON t ({0});\n"
UP = f"""\
-- +goose NO TRANSACTION
-- +goose Up
SET lock_timeout = '5s';
CREATE TABLE t (a int, b int);
INSERT INTO t VALUES (1, 2);
{INDEX.format("a")}-- of the second
{INDEX.format("b")}RESET lock_timeout;
"""
DOWN = """\
-- +goose Down
DROP INDEX CONCURRENTLY b;
REINDEX TABLE CONCURRENTLY t;
DROP INDEX CONCURRENTLY a;
"""


def goose(tmp_path: Path, text: str) -> ReadLayout:
    return read_layout(tmp_path, {f"{AT}/00001_a.sql": text}, settings='layout = "goose"')


def test_each_statement_that_no_transaction_can_hold_is_a_part(tmp_path: Path) -> None:
    found = goose(tmp_path, UP + DOWN)
    file = found.file("00001_a.sql")
    assert file.problems == ()
    assert [(step.path.partition("#")[2], step.transaction) for step in file.steps] == [
        ("1of3", "own"),
        ("2of3", "none"),
        ("3of3", "none"),
    ]
    assert {step.sha256 for step in file.steps} == {file.sha256}
    assert {step.rollback for step in file.steps} == {f"{file.path}#down"}
    assert {on_disk(step.path) for step in file.steps} == {file.path}
    # What only bounds the time of a part is left out; the first part says so.
    assert [(each.line, each.found) for each in file.steps[0].told] == [
        (3, "SET lock_timeout = '5s' is left out"),
        (9, "RESET lock_timeout is left out"),
    ]
    assert file.steps[1].told == ()


def test_the_text_of_a_part_stands_in_its_own_lines(tmp_path: Path) -> None:
    found = goose(tmp_path, UP + DOWN)
    texts = [found.text(f"00001_a.sql{part}") for part in ("#1of3", "#2of3", "#3of3")]
    head = UP.partition("SET")[0]
    assert [text.removeprefix(head).split() for text in texts] == [
        UP.partition("5s';")[2].partition("CREATE INDEX")[0].split(),
        [*INDEX.format("a").split(), "--", "of", "the", "second"],
        INDEX.format("b").split(),
    ]
    assert [text.count("\n", 0, text.rfind("INDEX")) + 1 for text in texts[1:]] == [6, 8]


def test_a_way_back_in_several_statements_is_one_transaction(tmp_path: Path) -> None:
    found = goose(tmp_path, UP + DOWN)
    down = found.file("#down")
    assert (down.problems, down.parts, down.transaction) == ((), (), "batch")
    assert found.text("#down").split() == [
        *("--", "+goose", "Down", "DROP", "INDEX", "b;", "DROP", "INDEX", "a;")
    ]
    assert [each.found for each in down.told] == [
        "DROP INDEX CONCURRENTLY b runs without CONCURRENTLY on the way back",
        "REINDEX TABLE CONCURRENTLY t is left out of the way back",
        "DROP INDEX CONCURRENTLY a runs without CONCURRENTLY on the way back",
    ]


def test_a_setting_that_the_next_part_would_miss_is_refused(tmp_path: Path) -> None:
    text = "-- +goose NO TRANSACTION\n-- +goose Up\nSET search_path = s;\n"
    found = goose(tmp_path, text + INDEX.format("a") + INDEX.format("b"))
    assert found.problems("00001_a.sql") == [(3, "SET search_path = s would not last")]
    assert found.file("#1of2").problems != ()


@pytest.mark.parametrize(
    ("layout", "files", "parts"),
    [
        ("goose", {f"{AT}/1_a.sql": "-- +goose Up\n{}"}, 1),
        ("dbmate", {f"{AT}/1_a.sql": "-- migrate:up transaction:false\n{}"}, 2),
        ("dbmate", {f"{AT}/1_a.sql": "-- migrate:up\n{}"}, 1),
        ("sqlx", {f"{AT}/1_a.sql": "-- no-transaction\n{}"}, 2),
        ("golang-migrate", {f"{AT}/1_a.up.sql": "{}"}, 1),
        ("golang-migrate", {f"{AT}/1_a.up.sql": "-- hk: transaction=none\n{}"}, 2),
        (
            "diesel",
            {f"{AT}/1_a/up.sql": "{}", f"{AT}/1_a/metadata.toml": "run_in_transaction = false"},
            2,
        ),
        ("flyway", {f"{AT}/V1__a.sql": "{}"}, 2),
        ("flyway", {f"{AT}/V1__a.sql": "SELECT 1;{}"}, 1),
        ("own", {f"{AT}/1_a.sql": "-- hk: transaction=none\n{}"}, 1),
    ],
)
def test_a_file_is_cut_where_its_tool_would_run_it_so(
    tmp_path: Path, layout: str, files: dict[str, str], parts: int
) -> None:
    indexes = INDEX.format("a") + INDEX.format("b")
    filled = {path: text.replace("{}", indexes) for path, text in files.items()}
    found = read_layout(tmp_path, filled, settings=f'layout = "{layout}"\nmigrations = "{AT}"')
    (file,) = found.found.files[Kind.MIGRATION]
    assert len(file.steps) == parts
    # Nobody is left with a file that would fail: it is cut, or it is refused.
    assert bool(file.problems) == (parts == 1)


def test_comments_alone_have_no_part() -> None:
    assert cut("-- +goose NO TRANSACTION\n").parts == ()


def test_a_part_is_named_after_its_file() -> None:
    assert whole_of("a/b.sql#2of3") == "a/b.sql"
    assert whole_of("a/b.sql#down") == "a/b.sql#down"
    assert whole_of("a/b#2of3") == "a/b#2of3"
    assert on_disk("a/b.sql#down") == on_disk("a/b.sql#1of1") == "a/b.sql"
