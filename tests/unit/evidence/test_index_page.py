"""The page of all runs: one file, in which every name is text, and the JSON of the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_housekeeping.__main__ import main
from support.index_ground import CONTROL, LONG, MONTHS, NASTY, commit_told, project


class _Page(HTMLParser):
    """The elements of the page, its links and what its scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.scripts:
            self.scripts[-1] += data
        else:
            self.text.append(data)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    repository, commit = project(tmp_path_factory.mktemp("page") / "shop")
    with repository:
        commit_told(repository, commit, MONTHS)
        yield repository.root


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        # An emergency is open, and that is a fault of the evidence.
        assert main(["audit", "--html"]) == 1
    return (root / "ops/audit/index.html").read_text(encoding="utf-8")


def test_every_name_is_text_and_nothing_is_fetched(page: str) -> None:
    found = _Page(page)
    assert found.elements.count("script") == 2
    assert not {"img", "link", "iframe", "object", "base"} & set(found.elements)
    assert found.links == ["https://ci.example.org/runs/1"] * len(MONTHS)
    assert NASTY in " ".join(found.text)
    assert LONG in page
    assert "\x1b" not in page
    assert CONTROL not in page
    assert r"venture.\x1b[31m\u202e" in page
    assert "default-src 'none'" in page


def test_what_is_filtered_by_stands_in_the_page(page: str) -> None:
    data = json.loads(_Page(page).scripts[0])
    assert [row["w"] for row in data["rows"]] == [
        "rollback rolled back",
        "verify found nothing wrong",
        "prod promoted",
        "changed outside",
        "prod refused",
        "prod promoted",
    ]
    first = data["rows"][-1]
    assert "venture.orders" in first["o"]
    assert first["f"] == "sql/migrations/0001_x.sql"
    assert {"carol", "bob@example.org"} <= set(first["p"].split("\n"))
    texts = []
    blocks: list[int] = []
    for state in data["states"]:
        for at, gone, come in state["s"]:
            blocks[at : at + gone] = come
        texts.append("".join(data["blocks"][each] for each in blocks).splitlines()[-1])
    assert texts == ["-- a", "-- b", "-- c", "-- d", "-- c"]
    # What two texts have in common stands there once.
    assert sum("CREATE SCHEMA venture" in each for each in data["blocks"]) == 1


def test_a_file_beside_the_page_is_linked_and_no_other(root: Path, page: str) -> None:
    assert "git show housekeeping/audit/prod_20270102T030405Z_0001aaaa:ops/audit/prod_" in page
    report = root / "ops/audit/prod_20270102T030405Z_0001aaaa.html"
    report.write_text("its report\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        main(["audit", "--html"])
    report.unlink()
    text = (root / "ops/audit/index.html").read_text(encoding="utf-8")
    assert f'<a href="{report.name}">report</a>' in text


def test_the_same_as_json(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert main(["audit", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["proved"]) == (1, False)
    assert re.search(
        r"run 0003aaaa: was made in an emergency .*\[emergency-open\]", found["faults"][0]
    )
    runs = {each["run"]: each for each in found["runs"]}
    assert runs["0001aaaa"]["chain"] == "follows no other audit; whole"
    assert runs["0002aaaa"]["chain"] == "follows run 0001aaaa; whole"
    assert runs["0004aaaa"]["signature"].startswith("not asked for")
    assert runs[""]["objects"][0].startswith("index venture.by_hand")
