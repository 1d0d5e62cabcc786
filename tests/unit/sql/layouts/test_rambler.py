"""rambler: sections of a file, read by direction, the last one first on the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql.text import origin
from support.layout_ground import read_layout

AT = "migrations"
TEXT = """-- rambler up
CREATE TABLE a ();
-- rambler down
DROP TABLE a;
-- rambler up
CREATE TABLE b ();
-- rambler down
DROP TABLE b;
"""


def test_sections_run_in_order_and_back(tmp_path: Path) -> None:
    plain = "-- rambler up\nSELECT 1;\n"
    found = read_layout(tmp_path, {f"{AT}/10_b.sql": TEXT, f"{AT}/2_a.sql": plain})
    assert found.config.layout == "rambler"
    assert found.paths() == ["10_b.sql", "2_a.sql"]
    assert found.paths(Kind.ROLLBACK) == ["10_b.sql#down"]
    assert found.text("10_b.sql").split() == [
        "CREATE",
        "TABLE",
        "a",
        "();",
        "CREATE",
        "TABLE",
        "b",
        "();",
    ]
    back = found.text("10_b.sql#down")
    assert back.split() == ["DROP", "TABLE", "b;", "DROP", "TABLE", "a;"]
    assert origin(back, "", 1 + back[: back.index("DROP TABLE a")].count("\n"))[1] == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- rambler upp\nSELECT 1;", "'-- rambler upp' is no mark"),
        ("SELECT 1;", "no line says -- rambler up"),
        ("SELECT 1;\n-- rambler up\nSELECT 2;", "statements stand above the first mark"),
    ],
)
def test_what_rambler_leaves_out_without_a_word_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    settings = f'layout = "rambler"\nmigrations = "{AT}"'
    found = read_layout(tmp_path, {f"{AT}/1_a.sql": text}, settings=settings)
    assert [problem for _, problem in found.problems("1_a.sql")][:1] == [said]
