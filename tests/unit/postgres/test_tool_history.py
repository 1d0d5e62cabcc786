"""The rows of another tool's history beside the files: which production has, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.tool_history.checksums import checksum_of, flyway_checksum
from pytest_housekeeping.postgres.tool_history.match import (
    Comparison,
    Elsewhere,
    applied_paths,
    matched,
)
from pytest_housekeeping.postgres.tool_history.table import TheirHistory, TheirRow
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.layouts.read import listing
from support.layout_ground import read_layout
from support.tool_productions import project_of, rows_of

FILES = [Entry(path=f"db/V{n}__a.sql", kind=Kind.MIGRATION, version=str(n)) for n in (1, 2, 3)]
VIEWS = [Entry(path="db/R__v.sql", kind=Kind.VIEW), Entry(path="db/R__w.sql", kind=Kind.VIEW)]


def row(version: str, checksum: str = "", *, fault: str = "") -> TheirRow:
    repeatable = version.startswith("R")
    return TheirRow(
        version=version, name=version, checksum=checksum, fault=fault, repeatable=repeatable
    )


def compared(
    history: TheirHistory,
    migrations: Sequence[Entry] = FILES,
    repeatable: Sequence[Entry] = VIEWS,
    checksum: Callable[[Entry], str] = lambda entry: entry.path,
    there: Elsewhere | None = None,
) -> Comparison:
    return Comparison(
        history=history,
        migrations=migrations,
        repeatable=repeatable,
        checksum=checksum,
        elsewhere=lambda _: there,
    )


def paths(
    *rows: TheirRow, up_to: str = "", ordered: bool = True, there: Elsewhere | None = None
) -> list[str]:
    history = TheirHistory(table="public.t", rows=rows, up_to=up_to, ordered=ordered)
    found = applied_paths(compared(history, there=there))
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


def test_a_row_may_name_the_end_of_a_path_and_never_two_files() -> None:
    def fits(*versions: str) -> list[str]:
        rows = tuple(TheirRow(version=each, name=each, by_file=True) for each in versions)
        given = compared(
            TheirHistory(table="public.t", rows=rows),
            [
                Entry(path=f"{at}#a:1", kind=Kind.MIGRATION, version=f"{at}::a::1")
                for at in ("x/db/1.sql", "y/db/1.sql", "x/db/2.sql")
            ],
            [Entry(path="x/db/3.sql#a:v", kind=Kind.VIEW, version="x/db/3.sql::a::v")],
            lambda _: "",
        )
        found = matched(given)
        assert all("ahead of the repository" in str(each) for each in found.faults)
        return list(found.paths)

    assert fits("db/2.sql::a::1", "db/3.sql::a::v") == ["x/db/2.sql#a:1", "x/db/3.sql#a:v"]
    assert fits("x/db/1.sql::a::1", "2.sql::b::1") == ["x/db/1.sql#a:1"]
    assert fits("db/1.sql::a::1") == []


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


@pytest.mark.parametrize(
    ("branch", "now", "said", "fix"),
    [
        ("origin/next", "", "lists 9, which is db/V9__x.sql of origin/next", "merge origin/next"),
        ("", "", "was removed since commit abc", "git checkout abc -- db/V9__x.sql"),
        ("", "db/V2__a.sql", "whose text is that of db/V2", "git mv db/V2__a.sql db/V9__x.sql"),
    ],
)
def test_where_production_is_ahead_the_way_on_is_named(
    branch: str, now: str, said: str, fix: str
) -> None:
    there = Elsewhere(path="db/V9__x.sql", commit="abc", branch=branch, now=now)
    with pytest.raises(MisuseError) as caught:
        paths(row("1"), row("9"), there=there)
    assert said in str(caught.value)
    assert fix in caught.value.found
    with pytest.raises(MisuseError, match="never run"):
        paths(row("1"), row("9"))


def test_a_change_whose_line_in_the_plan_was_edited_is_told_as_that() -> None:
    files = [Entry(path="deploy/items.sql", kind=Kind.MIGRATION, version="a1")]
    rows = (TheirRow(version="b2", name="items"),)
    history = TheirHistory(table="sqitch.changes", rows=rows)
    with pytest.raises(MisuseError, match=r"by the id b2, and deploy/items\.sql has another one"):
        applied_paths(compared(history, files, (), lambda _: ""))


def test_beside_another_tool_its_order_is_no_fault_and_every_other_one_is() -> None:
    rows = (row("3"), row("1", "edited"), row("9"), row("R__v.sql", "old"))
    history = TheirHistory(table="public.t", rows=rows)
    found = matched(compared(history))
    assert found.paths == ("db/V1__a.sql", "db/V3__a.sql")
    assert [str(each).partition(":")[0].split()[0] for each in found.faults] == [
        "production",
        "db/V1__a.sql",
    ]


@pytest.mark.parametrize("tool", ["flyway", "prisma", "sqlx", "sqitch"])
def test_what_a_tool_remembers_of_a_text_tells_an_edited_one(tmp_path: Path, tool: str) -> None:
    """On the project of the tool's page; the rows are worked out apart from the code under test."""
    files = dict(project_of(tool))
    remembered = {value for _, values in rows_of(tool, files) for value in map(_hex, values)}
    for edited in (False, True):
        if edited:
            files = {path: text.replace("name text", "name  text") for path, text in files.items()}
        found = read_layout(tmp_path / str(edited), files)
        entries = listing(found.config, found.sources).of(Kind.MIGRATION)
        told = [checksum_of(found.config, found.sources, entry) in remembered for entry in entries]
        assert told == [not edited, True]


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
