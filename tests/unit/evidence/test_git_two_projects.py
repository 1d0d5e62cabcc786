"""Evidence is only ever added: several projects, folders and branches in one repository."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import Repository
from support.git_folders import commit_all, git, init, opened

LOG = "housekeeping/audit/staging"
ROOTS = ("", "services/a", "services/a/nested", "services/ä b")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """Four projects, two of them inside of another one, and their first commit."""
    folder = init(tmp_path / "p")
    for root in ROOTS:
        path = folder / root / "sql/migrations/0001_a.sql"
        path.parent.mkdir(parents=True)
        path.write_text("SELECT 1;\n")
    commit_all(folder, "first")
    with opened(folder) as found:
        yield found


def evidence_path(root: str, number: int, folder: str = "ops/audit", mode: str = "staging") -> str:
    return f"{root}/{folder}/{mode}_20270101T000000Z_{number}.json".lstrip("/")


def record(
    repository: Repository, path: str, branch: str = LOG, attests: str | None = None
) -> dict[str, bytes]:
    """A run's evidence: its audit, its report, and what a failure has left in another folder."""
    stem, _, _ = path.rpartition(".")
    root = path.partition("ops/")[0] if "ops/" in path else f"{stem}/"
    files = {
        path: path.encode(),
        f"{stem}.html": b"<p>" + path.encode(),
        f"{root}ops/incidents/{stem.rpartition('/')[2]}.md": b"# " + path.encode(),
    }
    repository.commit_evidence(branch, files, "audit", attests)
    return files


def removed_or_changed(repository: Repository, branch: str = LOG) -> str:
    return git(repository.root, "log", "-m", "--no-renames", "--diff-filter=DMT", "--raw", branch)


def held(repository: Repository, branch: str = LOG) -> dict[str, bytes]:
    names = git(repository.root, "ls-tree", "-r", "-z", "--name-only", branch).split("\0")
    return {name: repository.show(branch, name) for name in names if name}


def test_interleaved_runs_of_several_projects_keep_everything(repository: Repository) -> None:
    everything: dict[str, bytes] = {}
    turns = [(root, number) for number in range(3) for root in ROOTS]
    random.Random(11).shuffle(turns)
    for root, number in turns:
        folder = "ops/audit" if number < 2 else "evidence/of staging"
        everything |= record(repository, evidence_path(root, number, folder))
    assert held(repository) == everything
    assert removed_or_changed(repository) == ""
    assert git(repository.root, "rev-list", "--count", LOG) == str(len(turns))


def test_each_project_reads_its_own_evidence_only(repository: Repository) -> None:
    for number, root in enumerate((*ROOTS, *ROOTS)):
        record(repository, evidence_path(root, number))
    record(repository, evidence_path("", 9, "evidence"))
    for place, root in enumerate(ROOTS):
        folder = f"{root}/ops/audit".lstrip("/")
        found = [name for name, _ in repository.evidence("staging", folder)]
        assert found == [evidence_path(root, place), evidence_path(root, place + len(ROOTS))]
    assert [name for name, _ in repository.evidence("staging", "evidence")] == [
        evidence_path("", 9, "evidence")
    ]


def test_a_branch_to_merge_keeps_what_no_attested_commit_has_any_more(
    repository: Repository,
) -> None:
    """Merged fast-forward, built upon, then the attested commit is one beside all of that."""
    branch, top = "housekeeping/audit/prod_x", repository.root
    first, everything = git(top, "rev-parse", "HEAD"), dict[str, bytes]()
    for number, root in enumerate(ROOTS):
        attests = first if number % 2 else git(top, "rev-parse", "HEAD")
        path = evidence_path(root, number, "ops/audit" if number < 2 else "evidence", "prod")
        everything |= record(repository, path, branch, attests)
        if number == 1:
            git(top, "merge", "-q", "--ff-only", branch)
        elif number == 2:
            git(top, "rm", "-q", "services/a/sql/migrations/0001_a.sql")
            git(top, "commit", "-qm", "a file of the project goes")
    project = set(git(top, "ls-tree", "-r", "-z", "--name-only", first).split("\0")) - {""}
    found = held(repository, branch)
    assert {name: found[name] for name in found.keys() - project} == everything
    assert project <= found.keys()
    record(repository, evidence_path("", 9, mode="prod"), branch, "HEAD")
    assert everything.items() <= held(repository, branch).items()
    assert "services/a/sql/migrations/0001_a.sql" not in held(repository, branch)


def test_a_branch_of_an_earlier_version_keeps_what_it_holds(repository: Repository) -> None:
    branch, top = "housekeeping/audit/prod_x", repository.root
    files = record(repository, evidence_path("", 1, mode="prod"), branch, "HEAD")
    tree, parent = git(top, "rev-parse", f"{branch}^{{tree}}"), git(top, "rev-parse", "HEAD")
    unnamed = git(top, "commit-tree", tree, "-p", parent, "-m", "prod promoted")
    git(top, "update-ref", f"refs/heads/{branch}", unnamed)
    files |= record(repository, evidence_path("services/a", 2, mode="prod"), branch, "HEAD")
    assert files.items() <= held(repository, branch).items()


def test_the_attested_commit_is_named(repository: Repository) -> None:
    record(repository, evidence_path("", 1), "housekeeping/audit/prod_x", "HEAD")
    message = git(repository.root, "log", "-1", "--format=%B", "housekeeping/audit/prod_x")
    assert message.splitlines()[-1] == f"Attests: {repository.head()}"
    record(repository, evidence_path("", 1))
    assert "Attests" not in git(repository.root, "log", "-1", "--format=%B", LOG)
