"""The commands that a refusal prints work as they stand, for a project in a sub-folder as well."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_housekeeping
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import SourceFacts
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.repository.attestation import checkout_fix, refuse_unattested
from support.fresh_copy import commit_all, git
from support.git_folders import forget_own_git, opened
from support.staged_project import FILES, LOG, Staged

FIRST, SECOND = "sql/migrations/0001_a.sql", "sql/migrations/0002_b.sql"
ODD = "checks/queries/it's [a] query*.sql"


@pytest.fixture(params=["", "services/my shop"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Staged]:
    """A project at the root of its repository, or in a folder of it."""
    forget_own_git(monkeypatch)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "r")
    root = tmp_path / "r" / str(request.param)
    root.mkdir(parents=True, exist_ok=True)
    with opened(root) as repository:
        staged = Staged(root=root, repository=repository)
        staged.write({**FILES, ODD: "SELECT id FROM a WHERE id < 0\n"})
        commit_all(tmp_path / "r", "the project")
        yield staged


@pytest.fixture
def origin(project: Staged, tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(project.root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(project.root, "config", "user.name", "Ada")
    git(project.root, "config", "user.email", "ada@example.org")
    return tmp_path / "origin.git"


def test_evidence_of_another_clone_is_pushed_there_and_fetched_here(
    project: Staged, origin: Path, tmp_path: Path
) -> None:
    """What fetches names what pushes: a log is in no clone but the one whose run made it."""
    project.keep_file("ops/audit/staging_20270101T000000Z_x.json", b"{}")
    top = git(project.root, "rev-parse", "--show-toplevel")
    git(tmp_path, "clone", "--quiet", top, "other")
    git(tmp_path / "other", "remote", "set-url", "origin", str(origin))
    with opened(tmp_path / "other") as other:
        fetch, _, push = fetch_fix(other).rstrip(")").partition(" (")
        run(project, push.partition("first: ")[2])
        subprocess.run(["bash", "-euc", fetch], cwd=other.root, check=True, capture_output=True)
        assert other.commit(f"origin/{LOG}") == project.repository.commit(LOG)


def test_a_log_that_was_repaired_is_pushed(project: Staged, origin: Path) -> None:
    path = "ops/audit/staging_20270101T000000Z_x.json"
    before = project.keep_file(path, b"{}")
    project.keep_file(path, b"[]")
    (fault, *_) = (
        each for each in prove_evidence(project.repository).faults if "worktree" in each.fix
    )
    run(project, fault.fix)
    kept = git(origin, "show", f"refs/{LOG}:{path}")
    assert kept == git(origin, "show", f"{before}:{path}") == "{}"
    assert git(origin, "for-each-ref", f"refs/heads/{LOG}") == ""
    git(project.root, "remote", "remove", "origin")
    project.keep_file(path, b"[]")
    fixes = [each.fix for each in prove_evidence(project.repository).findings]
    assert not any("git push" in fix for fix in fixes)


def test_whoever_tells_to_fetch_looks_whether_there_is_a_remote() -> None:
    """The bare command stands in the room of the evidence alone, which replaces it."""
    package = Path(pytest_housekeeping.__file__).parent
    naming = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"\bFETCH\b(?! \{)", path.read_text(encoding="utf-8"))
    }
    assert naming == {"evidence"}


def source(project: Staged) -> SourceFacts:
    return project.context(Mode.PROD).source


def run(project: Staged, commands: str) -> None:
    """In the folder of the project, where the user stands."""
    subprocess.run(["bash", "-euc", commands], cwd=project.root, check=True, capture_output=True)


def test_the_bytes_of_the_commit_come_back(project: Staged) -> None:
    git(project.root, "config", "core.autocrlf", "true")
    for name in (FIRST, ODD):
        (project.root / name).unlink()
    git(project.root, "checkout", "--", ".")
    assert b"\r\n" in (project.root / ODD).read_bytes()
    found = source(project)
    assert len(found.rewritten) == 2
    run(project, checkout_fix(found))
    assert b"\r\n" not in (project.root / ODD).read_bytes()
    assert (source(project).rewritten, source(project).dirty) == ((), ())


def test_what_was_hidden_from_git_is_shown(project: Staged) -> None:
    """All of it, in both ways in which it can be hidden; a file that git does not know is told."""
    for name, how in ((ODD, "assume-unchanged"), (FIRST, "skip-worktree"), (SECOND, "both")):
        for each in (how,) if how != "both" else ("assume-unchanged", "skip-worktree"):
            git(project.root, "update-index", f"--{each}", name)
        (project.root / name).write_text("SELECT 1\n")
    (project.root / "sql/migrations/0003_c.sql").write_text("SELECT 1;\n")
    assert len(git(project.root, "status", "--porcelain").splitlines()) == 1
    with pytest.raises(MisuseError) as caught:
        refuse_unattested(source(project))
    run(project, caught.value.fix.partition("is shown after: ")[2])
    assert len(git(project.root, "status", "--porcelain").splitlines()) == 4
