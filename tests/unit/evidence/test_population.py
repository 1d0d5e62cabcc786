"""The population: every change, also those outside of any run, and proved to be all or refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.__main__ import main
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.index.people import Person, told_apart
from pytest_housekeeping.model import Mode, RunOutcome
from support.fresh_copy import commit_all, git
from support.index_ground import CONTROL, FORMULA, LONG, MONTHS, NASTY, Told, commit_told, project


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("months") / "shop"
    repository, commit = project(folder)
    with repository:
        commit_told(repository, commit, MONTHS)
        yield folder


Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    def asked(root: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(root)
        capsys.readouterr()
        code = main(["audit", *arguments])
        return code, *capsys.readouterr()

    return asked


def test_it_holds_every_change_and_what_was_changed_outside_of_any(months: Path, ask: Ask) -> None:
    code, out, said = ask(months, "--population", "--json")
    found = json.loads(out)
    assert (code, found["complete"], found["faults"]) == (0, True, [])
    assert said == "5 rows, 1 of them outside of any run: complete\n"
    changes = found["changes"]
    assert [(each["kind"], each["run"], each["outcome"]) for each in changes] == [
        ("change", "0001aaaa", "promoted"),
        ("attempt", "0002aaaa", "refused"),
        ("changed_outside", "", "changed_outside"),
        ("change", "0003aaaa", "promoted"),
        ("change", "0005aaaa", "promoted"),
    ]
    first, _, outside, emergency, _ = changes
    assert first["request"] == "Countries have a region (#12)"
    assert first["author"] == "a contributor <contributor@example.invalid>"
    assert (first["approver"], first["runner"]) == ("bob@example.org", "carol")
    assert first["people"] == "different"
    assert first["way_back"] == ["sql/migrations/0001_x.sql: none: there is no rollback file"]
    assert first["risk"] == "venture.orders rewritten"
    assert "made table venture.orders" in first["objects"]
    assert (first["schema_before"], first["schema_after"]) == ("a" * 64, "b" * 64)
    assert outside["result"].startswith("changed outside, between run 0002aaaa and run 0003aaaa")
    assert outside["objects"][0].startswith("index venture.by_hand: was added")
    assert {outside[name] for name in ("author", "approver", "runner", "reason")} == {"not known"}
    assert emergency["reason"] == f"emergency: {FORMULA}"
    assert emergency["review"] == "OPEN: nobody has looked through it"
    assert emergency["people"] == "not known: who approved it"


def test_csv_tells_the_same_and_calculates_nothing(months: Path, ask: Ask) -> None:
    code, out, _ = ask(months, "--population")
    found = json.loads(ask(months, "--population", "--json")[1])["changes"]
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["run"] for row in rows] == [each["run"] for each in found]
    assert list(rows[0]) == list(found[0])
    assert NASTY in rows[0]["objects"]
    assert LONG in rows[0]["objects"]
    assert CONTROL not in rows[0]["objects"]
    assert "\x1b" not in out
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_a_period_has_what_falls_into_it(months: Path, ask: Ask) -> None:
    def runs(*bounds: str) -> list[str]:
        code, out, _ = ask(months, "--population", "--json", *bounds)
        assert code == 0
        return [each["run"] for each in json.loads(out)["changes"]]

    assert runs("--from", "2027-03-01") == ["", "0003aaaa", "0005aaaa"]
    assert runs("--to", "2027-01-02") == ["0001aaaa"]
    assert runs("--from", "2027-01-02", "--to", "2027-01-02T03:04:05+00:00") == ["0001aaaa"]
    assert runs("--from", "2028-01-01") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--population", "--from", "yesterday"),
        ("--population", "--from", "0001-01-01"),
        ("--population", "--from", "2027-02-01", "--to", "2027-01-01"),
        ("--at", "2027-13-01"),
        ("--from", "2027-01-01"),
        ("--html", "--json"),
        ("--at", "2027-01-01", "--json"),
        ("--html", "--target"),
    ],
)
def test_what_cannot_be_asked_is_misuse(months: Path, ask: Ask, arguments: tuple[str, ...]) -> None:
    code, out, said = ask(months, *arguments)
    assert (code, out) == (4, "")
    assert "  fix: " in said


def test_the_schema_of_a_day(months: Path, ask: Ask) -> None:
    """Also what was changed by hand, from when it was seen."""
    for day, last in {
        "2027-01-02": "b",
        "2027-03-01": "b",
        "2027-03-03": "d",
        "2028-01-01": "c",
    }.items():
        code, out, said = ask(months, "--at", day)
        assert (code, out.splitlines()[-1]) == (0, f"-- {last}"), day
        assert "prod: as run " in said
    code, out, said = ask(months, "--at", "2026-12-31")
    assert (code, out) == (1, "")
    assert "is not known: the first that is known is of 2027-01-02T03:04:05Z" in said


# -- not shown to be complete ----------------------------------------------------------------------


def branch_of(repository: Repository, number: int) -> str:
    listed = git(repository.root, "for-each-ref", "--format=%(refname)", "refs/heads/housekeeping")
    return next(name for name in listed.splitlines() if name.endswith(f"{number:04x}aaaa"))


def _gone(repository: Repository) -> None:
    git(repository.root, "update-ref", "-d", branch_of(repository, 2))


def _rewrite(repository: Repository, number: int, change: Callable[[bytes], bytes]) -> None:
    """The audit of a run otherwise, in a commit upon its branch."""
    branch = branch_of(repository, number).removeprefix("refs/heads/")
    names = git(repository.root, "ls-tree", "-r", "--name-only", branch).splitlines()
    path = next(name for name in names if name.endswith(f"{number:04x}aaaa.json"))
    data = repository.show(branch, path)
    repository.commit_evidence(branch, {path: change(data)}, "tidy up\n", repository.head())


def _edited(repository: Repository) -> None:
    _rewrite(repository, 3, lambda data: data.replace(b"carol", b"david"))


def _cut_off(repository: Repository) -> None:
    _rewrite(repository, 3, lambda data: data[:100])


def _newer(repository: Repository) -> None:
    _rewrite(
        repository, 3, lambda data: data.replace(b'"schema_version": 1', b'"schema_version": 2')
    )


def _reverted_gone(repository: Repository) -> None:
    for number in (2, 3):
        git(repository.root, "update-ref", "-d", branch_of(repository, number))


BROKEN = {
    "a missing run": (_gone, "[audit-missing]"),
    "an edited audit": (_edited, "[audit-edited]"),
    "a broken audit": (_cut_off, "[audit-edited]"),
    "an audit of a newer version": (_newer, "is no audit of schema version 1"),
    "a rollback of what is not here": (_reverted_gone, "rollback 0005aaaa undoes it"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_fails_where_it_is_not_shown_to_be_complete(tmp_path: Path, ask: Ask, name: str) -> None:
    plant, said = BROKEN[name]
    repository, commit = project(tmp_path / "shop")
    with repository:
        commit_told(repository, commit, MONTHS)
        plant(repository)
        code, out, told = ask(repository.root, "--population", "--json")
    found = json.loads(out)
    assert (code, found["complete"]) == (1, False)
    assert any(said in each for each in found["faults"]), found["faults"]
    assert "NOT SHOWN TO BE COMPLETE" in told


def test_what_nobody_has_written_down_is_not_taken_for_unchanged(tmp_path: Path, ask: Ask) -> None:
    repository, commit = project(tmp_path / "shop")
    with repository:
        commit_told(repository, commit, [Told(day=0), Told(day=1)])
        code, out, _ = ask(repository.root, "--population", "--json")
    found = json.loads(out)
    assert code == 1
    assert [each["kind"] for each in found["changes"]] == ["change", "not_known", "change"]
    assert "whether it was changed outside between run 0001aaaa" in found["faults"][0]


def _as_recorded(document: dict[str, Any]) -> None:
    step = dict(document["steps"][0], id="precheck::drift", message="as recorded: 6dba57341375")
    document["steps"].insert(1, step)
    planned = dict(document["plan"]["steps"][0], id="precheck::drift")
    document["plan"]["steps"].insert(1, planned)


@pytest.mark.parametrize(
    ("runs", "kinds"),
    [
        ([Told(day=0), Told(day=1, edit=_as_recorded)], []),
        ([Told(day=0, dumps=("a", "b")), Told(day=1, dumps=("b", "c"))], []),
        ([Told(day=0, dumps=("a", "b")), Told(day=1, dumps=("x", "c"))], ["changed_outside"]),
        # What was read beside a promotion is of before it or of after it.
        (
            [
                Told(day=0, before="a", after="b"),
                Told(day=0, outcome=RunOutcome.REFUSED, before="a"),
                Told(day=1, before="b", after="c"),
            ],
            [],
        ),
    ],
    ids=["its own look for drift", "equal dumps", "other dumps", "side by side"],
)
def test_audits_of_earlier_versions_are_told_by_what_they_have(
    tmp_path: Path, ask: Ask, runs: list[Told], kinds: list[str]
) -> None:
    repository, commit = project(tmp_path / "shop")
    with repository:
        commit_told(repository, commit, runs)
        code, out, _ = ask(repository.root, "--population", "--json")
    changes = json.loads(out)["changes"]
    assert code == 0
    assert [each["kind"] for each in changes if not each["run"]] == kinds


def test_without_evidence_and_in_a_shallow_clone_nothing_is_shown(
    months: Path, tmp_path: Path, ask: Ask
) -> None:
    with project(tmp_path / "empty")[0] as empty:
        for what in (("--population",), ("--html",), ("--json",), ("--at", "2027-01-01")):
            code, out, said = ask(empty.root, *what)
            assert (code, out) == (1, "")
            assert said.startswith("no evidence")
            assert "this clone has no remote origin" in said
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", months.as_uri(), "shallow")
    code, out, _ = ask(tmp_path / "shallow", "--population", "--json")
    assert code == 1
    assert any("[evidence-shallow]" in each for each in json.loads(out)["faults"])


@pytest.mark.parametrize(
    ("run", "became", "made", "result"),
    [
        (Told(day=1), "applied", "made table venture.t", "promoted"),
        (Told(day=1, mode=Mode.ROLLBACK), "applied", "made table venture.t", "rolled back"),
        (
            Told(day=1, outcome=RunOutcome.ROLLED_BACK),
            "rolled back",
            "made table venture.t (on the copy)",
            "rolled back",
        ),
        (
            Told(day=1, outcome=RunOutcome.UNKNOWN),
            "not known",
            "made table venture.t (on the copy)",
            "unknown",
        ),
    ],
)
def test_a_file_is_applied_and_an_object_made_where_a_commit_was_answered(
    tmp_path: Path, ask: Ask, run: Told, became: str, made: str, result: str
) -> None:
    def applied(document: dict[str, Any]) -> None:
        change = {"segment": 1, "object": "venture.t", "kind": "table", "change": "made"}
        document["changes"] = [{**change, "before": "", "after": "", "rewrites": False, "lock": ""}]
        for step in document["steps"]:
            if step["kind"] == "migration":
                step["outcome"] = "passed"

    repository, commit = project(tmp_path / "shop")
    with repository:
        commit_told(repository, commit, [replace(run, before="a", after="b", edit=applied)])
    (change,) = json.loads(ask(tmp_path / "shop", "--population", "--json")[1])["changes"]
    assert change["files"] == [f"sql/migrations/0001_x.sql {became}"]
    assert change["objects"] == [made]
    assert change["result"] == result


def test_who_is_who() -> None:
    ada, bob = Person(name="Ada L", email="ada@example.org"), Person(name="Bob", email="b@x.org")
    assert told_apart([ada], ["bob@example.org"], "carol") == "different"
    assert told_apart([ada, bob], ["carol"], "ADA") == "the same: Ada L wrote and ran it"
    assert told_apart([ada], ["ada@example.org"], "ada").startswith(
        "the same: Ada L wrote and approved it, Ada L wrote and ran it, ada@example.org approved"
    )
    assert told_apart([], ["bob"], "") == "not known: who wrote it, who ran it"


def test_an_index_that_somebody_commits_is_no_stray(tmp_path: Path, ask: Ask) -> None:
    repository, commit = project(tmp_path / "shop")
    with repository:
        commit_told(repository, commit, MONTHS[:2])
        assert ask(repository.root, "--html")[0] == 0
        commit_all(repository.root, "the index")
        assert ask(repository.root)[0] == 0
