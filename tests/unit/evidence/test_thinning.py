"""Staging's log without the audits of superseded commits: the chain goes on, nothing is hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.__main__ import main
from pytest_housekeeping.evidence import thinning
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.evidence.thinned import THINNED
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.promotion.commands import thin as thin_command
from support.evidence_repository import commit_run
from support.fresh_copy import commit_all, git
from support.git_folders import opened
from support.index_ground import Told, project, told

LOG = "housekeeping/audit/staging"
KEPT = f"refs/{LOG}"


class Months:
    """A project with staging runs on two commits, one behind the other, and a promotion that was
    proved by the second of them."""

    def __init__(self, folder: Path) -> None:
        self.repository, first = project(folder / "shop")
        self.root = self.repository.root
        git(folder, "init", "-q", "--bare", "--initial-branch=main", "remote.git")
        git(self.root, "remote", "add", "origin", str(folder / "remote.git"))
        for name in ("sql", "checks"):
            (self.root / name).mkdir(exist_ok=True)
            (self.root / name / ".gitkeep").touch()
        self.previous: dict[Mode, str] = {}
        self.number = 0
        for _ in range(3):
            self.run(first)
        self.run(first, Mode.PROD, self._proved_by_the_second)
        commit_all(self.root, "Another one (#13)")
        self.second = self.repository.head() or ""
        for _ in range(2):
            self.run(self.second)
        self.run(self.second, outcome=RunOutcome.ROLLED_BACK)
        git(self.root, "push", "-q", "origin", "main", f"{LOG}:{KEPT}")

    def run(
        self,
        commit: str,
        mode: Mode = Mode.STAGING,
        edit: Any = lambda _: None,
        outcome: RunOutcome = RunOutcome.PROMOTED,
    ) -> None:
        self.number += 1
        asked = Told(day=self.number, mode=mode, outcome=outcome, edit=edit, before="a", after="a")
        audit, files = told(asked, self.number, self.previous.get(mode), commit)
        self.previous[mode] = audit.chain.digest
        commit_run(self.repository, audit, files)

    def _proved_by_the_second(self, document: dict[str, Any]) -> None:
        name = next(name for name in self.names() if "0002aaaa.json" in name)
        document["steps"][0]["message"] = f"proved by {name}"

    def names(self) -> list[str]:
        return git(self.root, "ls-tree", "-r", "--name-only", LOG).splitlines()

    def whole(self) -> list[str]:
        return sorted(name[-13:-9] for name in self.names() if name.endswith("aaaa.json"))


@pytest.fixture
def months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated_git: None) -> Iterator[Months]:
    monkeypatch.setattr(thinning, "NEWEST", 1)
    monkeypatch.setattr(thin_command, "WORTH", 1)
    made = Months(tmp_path)
    monkeypatch.chdir(made.root)
    with made.repository:
        yield made


def test_what_may_be_asked_for_stays_and_the_chain_goes_on(
    months: Months, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named by the promotion, the newest that passed of the newest commit, the newest of all."""
    assert main(["audit", "--thin"]) == 0
    said = capsys.readouterr().out
    assert "thinned: 3 audits whole" in said
    assert "of 3 more a line each" in said
    assert months.whole() == ["0002", "0006", "0007"]
    assert git(months.root, "rev-list", "--count", LOG) == "1"
    lines = git(months.root, "show", f"{LOG}:ops/audit/{THINNED}").splitlines()
    assert [json.loads(line)["run"] for line in lines] == ["0001aaaa", "0003aaaa", "0005aaaa"]
    assert all(len(json.loads(line)["files"]) == 2 for line in lines)
    remote = months.root.parent / "remote.git"
    assert git(remote, "rev-parse", KEPT) == git(months.root, "rev-parse", LOG)
    # The next run builds on it, and again there is nothing to thin.
    months.run(months.second)
    assert main(["audit"]) == 0
    assert main(["audit", "--population"]) == 0
    capsys.readouterr()
    monkeyed = thin_command.WORTH + 5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thin_command, "WORTH", monkeyed)
        assert main(["audit", "--thin"]) == 0
    assert capsys.readouterr().out.startswith("nothing to thin: ")


def test_whoever_clones_fetches_nothing_of_it(months: Months, tmp_path: Path) -> None:
    oid = git(months.root, "rev-parse", LOG)
    remote = (tmp_path / "remote.git").as_uri()
    for name, options in {"plain": (), "single": ("--single-branch",)}.items():
        git(tmp_path, "clone", "-q", *options, remote, name)
        clone = tmp_path / name
        objects = git(clone, "cat-file", "--batch-all-objects", "--batch-check")
        assert oid not in objects
        assert not [ref for ref in git(clone, "for-each-ref").splitlines() if "staging" in ref]


@pytest.mark.parametrize("thinned_before", [True, False])
def test_what_is_gone_without_a_line_is_missed(months: Months, thinned_before: bool) -> None:
    if thinned_before:
        assert main(["audit", "--thin"]) == 0
        # What was fetched of the remote still has it.
        git(months.root, "update-ref", "-d", f"refs/remotes/origin/{LOG}")
    names = [name for name in months.names() if "0006aaaa" in name]
    tree = git(months.root, "rev-parse", LOG)
    beside = months.root.parent / "beside"
    git(months.root, "worktree", "add", "-q", "--detach", str(beside), tree)
    git(beside, "rm", "-q", *names)
    git(beside, "commit", "-q", "-m", "nobody asks")
    git(months.root, "update-ref", f"refs/heads/{LOG}", git(beside, "rev-parse", "HEAD"))
    found = {each.rule for each in prove_evidence(months.repository).faults}
    assert found & {"audit-missing", "evidence-removed"}


def test_a_line_hides_no_promotion(months: Months) -> None:
    """Also one that says it was staging."""
    (branch,) = git(
        months.root, "for-each-ref", "--format=%(refname)", "refs/heads/housekeeping/audit/prod_*"
    ).splitlines()
    audit = months.previous[Mode.PROD]
    months.run(months.second, Mode.PROD)
    git(months.root, "update-ref", "-d", branch)
    line: dict[str, Any] = {
        "run": "0004aaaa",
        "path": "ops/audit/staging_20270105T030405Z_0004aaaa.json",
        "digest": audit,
        "previous": None,
        "commit": "",
        "outcome": "promoted",
        "finished_at": "",
        "files": {},
    }
    data = f"{json.dumps(line)}\n".encode()
    months.repository.commit_evidence(LOG, {f"ops/audit/{THINNED}": data}, "thinned\n", None)
    found = [each.rule for each in prove_evidence(months.repository).faults]
    assert found == ["audit-missing"]


def test_what_others_have_added_is_not_lost(
    months: Months, capsys: pytest.CaptureFixture[str]
) -> None:
    before = git(months.root, "rev-parse", LOG)
    other = months.root.parent / "other"
    git(months.root.parent, "clone", "-q", str(months.root.parent / "remote.git"), "other")
    git(other, "fetch", "-q", "origin", f"{KEPT}:{LOG}")
    _commit_beside(other)
    assert main(["audit", "--thin"]) == 1
    assert "has more at the remote than housekeeping/audit/staging of" in capsys.readouterr().err
    there = git(months.root.parent / "remote.git", "rev-list", "--count", KEPT)
    assert there == str(int(git(months.root, "rev-list", "--count", before)) + 1)


def _commit_beside(other: Path) -> None:
    with opened(other) as repository:
        repository.commit_evidence(LOG, {"ops/audit/x": b"x"}, "theirs\n", None)
        git(other, "push", "-q", "origin", f"{LOG}:{KEPT}")


def test_nothing_is_thinned_over_a_fault(
    months: Months, capsys: pytest.CaptureFixture[str]
) -> None:
    before = git(months.root, "rev-parse", LOG)
    path = next(name for name in months.names() if "0001aaaa.json" in name)
    months.repository.commit_evidence(LOG, {path: b"{}"}, "tidy up\n", None)
    broken = git(months.root, "rev-parse", LOG)
    assert main(["audit", "--thin"]) == 1
    assert "the evidence has 1 fault" in capsys.readouterr().err
    assert git(months.root, "rev-parse", LOG) == broken != before
