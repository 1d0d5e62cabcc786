"""The rows of another tool's history beside the files: which production has, and what is wrong."""

from __future__ import annotations

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.tool_history.checksums import flyway_checksum
from pytest_housekeeping.postgres.tool_history.match import applied_paths
from pytest_housekeeping.postgres.tool_history.table import TheirHistory, TheirRow
from pytest_housekeeping.sql.layouts.layout import Entry

FILES = [Entry(path=f"db/V{n}__a.sql", kind=Kind.MIGRATION, version=str(n)) for n in (1, 2, 3)]
VIEWS = [Entry(path="db/R__v.sql", kind=Kind.VIEW), Entry(path="db/R__w.sql", kind=Kind.VIEW)]


def row(version: str, checksum: str = "", *, fault: str = "") -> TheirRow:
    repeatable = version.startswith("R")
    return TheirRow(
        version=version, name=version, checksum=checksum, fault=fault, repeatable=repeatable
    )


def paths(*rows: TheirRow, up_to: str = "", ordered: bool = True) -> list[str]:
    history = TheirHistory(table="public.t", rows=rows, up_to=up_to, ordered=ordered)
    found = applied_paths(history, FILES, VIEWS, lambda entry: entry.path)
    return [path.removeprefix("db/") for path in found]


def test_what_it_lists_is_there_and_the_rest_is_pending() -> None:
    assert paths(row("1", "db/V1__a.sql"), row("002")) == ["V1__a.sql", "V2__a.sql"]


def test_a_version_up_to_which_there_are_no_rows() -> None:
    assert paths(up_to="2") == ["V1__a.sql", "V2__a.sql"]
    with pytest.raises(MisuseError, match="production is ahead of the repository"):
        paths(up_to="7")


def test_a_repeatable_file_with_another_text_is_pending() -> None:
    assert paths(row("R__v.sql", "old"), row("R__w.sql", "db/R__w.sql")) == ["R__w.sql"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("1"), row("2", fault="it failed")], "public.t says of 2 that it failed"),
        ([row("1"), row("9")], "production is ahead of the repository: public.t lists 9"),
        ([row("1"), row("9", "db/V2__a.sql")], "lists 9, whose text is that of db/V2__a.sql"),
        ([row("1", "x")], "db/V1__a.sql is not the text that public.t has of it: checksum db/V1"),
        ([row("1"), row("3")], "db/V2__a.sql is not in public.t, and db/V3__a.sql, which comes"),
        ([row("2"), row("1")], "public.t tells of another order than the files: db/V2__a.sql"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(rows: list[TheirRow], said: str) -> None:
    with pytest.raises(MisuseError) as caught:
        paths(*rows)
    assert said in str(caught.value)
    assert "fix: " in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(MisuseError, match=r"(?s)it failed.*ahead of the repository"):
        paths(row("1", fault="it failed"), row("8"))


def test_a_table_that_tells_no_order_is_asked_for_none() -> None:
    assert paths(row("2"), row("1"), ordered=False) == ["V1__a.sql", "V2__a.sql"]


def test_the_checksum_of_flyway_knows_no_line_ends() -> None:
    """CRC32 of ``123456789`` is the check value 0xCBF43926 of the algorithm."""
    assert flyway_checksum("\ufeff1234\r\n567\n89\n") == str(0xCBF43926 - (1 << 32))
    assert flyway_checksum("") == "0"


def test_what_the_tool_has_made_for_itself_is_its_own() -> None:
    history = TheirHistory(table="public.t", rows=(), parts=("public.t", "public.t_idx"))
    owned = ["table public.t", "column public.t.id", "index public.t_idx"]
    owned += ["constraint t_pk on public.t"]
    assert all(history.owns(name) for name in owned)
    assert not any(history.owns(name) for name in ("table public.tt", "view other.t"))
    whole = TheirHistory(table="sqitch.changes", rows=(), schema="sqitch")
    assert all(map(whole.owns, ("schema sqitch", "table sqitch.tags", "column sqitch.tags.x")))
