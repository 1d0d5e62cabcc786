"""Files of a submodule are in no commit of the repository around it, and nobody can commit them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.promotion.prechecks.shared import worktree
from pytest_housekeeping.promotion.recording.evidence_commit import publish
from pytest_housekeeping.promotion.repository.attestation import (
    RanFile,
    refusal_of,
    refuse_unattested,
)
from support.files import write
from support.fresh_copy import commit_all, git
from support.git_folders import forget_own_git, opened
from support.staged_project import FILES, LOG, Staged, make_project

SQL = {name: text for name, text in FILES.items() if name.startswith("sql/")}


@pytest.fixture(autouse=True)
def nobodys_git(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_own_git(monkeypatch)
    # Git clones no submodule from a folder by itself.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")


def staged_at(root: Path) -> Iterator[Staged]:
    with opened(root) as repository:
        yield Staged(root=root, repository=repository)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """What is a submodule of others: migrations, and a module."""
    place = tmp_path / "library"
    texts = {name.removeprefix("sql/"): text for name, text in SQL.items()}
    write(place, {**texts, "helper.py": "y = 1\n"})
    git(place, "init", "--quiet", "--initial-branch=main")
    commit_all(place, "a library")
    return place


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Staged]:
    """A project in a folder of its repository."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "r")
    root = tmp_path / "r/services/a"
    for name, text in {**FILES, "checks/queries/q.sql": "SELECT 1 WHERE false\n"}.items():
        if name not in SQL:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    commit_all(tmp_path / "r", "all but its SQL")
    yield from staged_at(root)


def add(project: Staged, library: Path, place: str) -> None:
    git(project.root, "submodule", "add", "--quiet", str(library), place)
    commit_all(project.root, "a submodule")


@pytest.mark.parametrize("edited", [False, True])
def test_a_plan_out_of_a_submodule(around: Staged, library: Path, edited: bool) -> None:
    add(around, library, "sql")
    if edited:
        around.write({"sql/migrations/0001_a.sql": "CREATE TABLE a (id bigint);\n"})
    context = around.context(Mode.PROD)
    with pytest.raises(MisuseError, match="files of the submodule services/a/sql") as caught:
        refuse_unattested(context.source)
    assert "services/a/sql/migrations/0001_a.sql" in caught.value.found
    assert "holds none of its files" in caught.value.why
    assert caught.value.fix.startswith("move what is promoted")
    assert "commit or stash" not in str(caught.value)
    staging = around.context(Mode.STAGING)
    (said,) = publish(staging, around.audit(), {}, partial=False)
    assert said.startswith("not committed: files of the submodule services/a/sql ran")
    assert worktree(staging.source)[1].endswith("which holds no file of services/a/sql")


def test_python_out_of_a_submodule(around: Staged, library: Path) -> None:
    around.write(SQL)
    add(around, library, "library")
    context = around.context(Mode.PROD)
    refuse_unattested(context.source)
    ran = around.root / "library/helper.py"
    missing = context.attestation.add([RanFile(path=str(ran), data=ran.read_bytes())])
    refusal = refusal_of(context.attestation, missing, rules_of(Mode.PROD))
    assert refusal is not None
    assert refusal.found == (
        "files of the submodule services/a/library: services/a/library/helper.py"
    )
    assert "pip install ./<submodule>" in refusal.fix
    # What is merely not committed is told as before.
    around.write({"other.py": "z = 1\n"})
    other = around.root / "other.py"
    missing = context.attestation.add([RanFile(path=str(other), data=other.read_bytes())])
    refusal = refusal_of(context.attestation, missing, rules_of(Mode.PROD))
    assert refusal is not None
    assert refusal.found == "ran as Python and is not in the commit: services/a/other.py"


def test_a_project_that_is_a_submodule_as_a_whole(tmp_path: Path) -> None:
    """Its repository is the submodule: what it attests and keeps is there."""
    make_project(tmp_path / "p")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "around")
    git(tmp_path / "around", "submodule", "add", "--quiet", str(tmp_path / "p"), "p")
    for project in staged_at(tmp_path / "around/p"):
        context = project.context(Mode.PROD)
        refuse_unattested(context.source)
        assert context.source.commit == git(tmp_path / "p", "rev-parse", "main")
        path = project.keep(project.audit())
        assert git(project.root, "ls-tree", "-r", "--name-only", LOG) == path
