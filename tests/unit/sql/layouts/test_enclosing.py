"""A file's own transaction is one with the batch; what means more is refused where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.layout_ground import read_layout

NAME = "sql/migrations/0001_a.sql"


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN;\nSELECT 1;\nCOMMIT;",
        "-- words\nbegin transaction ;\nSELECT 1;\nend work;\n",
        "SET search_path = public;\nSTART TRANSACTION;\nSELECT 1;\nSAVEPOINT a;\nCOMMIT",
        "BEGIN;\nDO $$\nBEGIN\n  PERFORM 1;\nEND;\n$$;\nCOMMIT;\n",
    ],
)
def test_one_plain_transaction_is_left_out_with_a_notice(tmp_path: Path, text: str) -> None:
    found = read_layout(tmp_path, {NAME: text})
    assert found.problems(NAME) == []
    assert [said for _, said in found.told(NAME)] == ["BEGIN and COMMIT of the file are left out"]
    assert len(found.text(NAME)) == len(text)
    assert found.text(NAME).count("\n") == text.count("\n")
    assert found.text(NAME).index("SELECT 1") == text.index("SELECT 1") if "SELECT 1" in text else 1


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("BEGIN;\nSELECT 1;\nCOMMIT;\nBEGIN;\nSELECT 2;\nCOMMIT;", [1, 3, 4, 6]),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;\nCOMMIT;", [1, 3]),
        ("BEGIN;\nSELECT 1;\nROLLBACK;", [1, 3]),
        ("BEGIN;\nSELECT 1;\nCOMMIT AND CHAIN;", [1, 3]),
        ("BEGIN;\nSELECT 1;", [1]),
    ],
)
def test_what_means_more_is_refused_by_line(tmp_path: Path, text: str, lines: list[int]) -> None:
    found = read_layout(tmp_path, {NAME: text})
    assert [line for line, said in found.problems(NAME) if "in the file" in said] == lines
    assert found.told(NAME) == []


@pytest.mark.parametrize(
    "mode",
    [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET TRANSACTION READ ONLY",
        "SET LOCAL transaction_isolation = 'serializable'",
    ],
)
def test_a_mode_behind_begin_means_more_as_well(tmp_path: Path, mode: str) -> None:
    found = read_layout(tmp_path, {NAME: f"BEGIN;\n{mode};\nSELECT 1;\nCOMMIT;"})
    refused = [line for line, said in found.problems(NAME) if "in the file" in said]
    assert sorted(refused) == [1, 2, 4]
    assert found.told(NAME) == []


def test_a_mode_alone_is_refused_and_a_default_of_the_session_is_none(tmp_path: Path) -> None:
    mode = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"
    default = "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;\n"
    found = read_layout(tmp_path, {NAME: f"{default}{mode}"})
    assert [line for line, said in found.problems(NAME) if "mode of the transaction" in said] == [2]
