"""What was read against what a commit holds: nothing that git believes of its index counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_housekeeping.evidence.git.compare import Differences
from support.files import write
from support.git_folders import git, opened

A, B = "sql/migrations/0001_a.sql", "checks/test_b.py"

pytestmark = pytest.mark.usefixtures("isolated_git")


@pytest.fixture(params=["sha1", "sha256"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository of either kind, with a file each below sql/ and checks/."""
    folder = tmp_path / "p"
    git(tmp_path, "init", "-q", "-b", "main", f"--object-format={request.param}", "p")
    write(folder, {A: "SELECT 1;\nSELECT 2;\n", B: "def test(): ...\n", "README.md": "x\n"})
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def compared(folder: Path, *, read: tuple[str, ...] = (), root: Path | None = None) -> Differences:
    root = root or folder
    with opened(root) as repository:
        commit = repository.head()
        assert commit is not None
        return repository.compare(
            commit,
            folders=[root / "sql", root / "checks"],
            read={root / name: (root / name).read_bytes() for name in read},
        )


def weaken(folder: Path) -> None:
    write(folder, {A: "SELECT 1;\n"})


def assume_unchanged(folder: Path) -> None:
    git(folder, "update-index", "--assume-unchanged", A)
    weaken(folder)


def skip_worktree(folder: Path) -> None:
    git(folder, "update-index", "--skip-worktree", A)
    weaken(folder)


def sparse_checkout(folder: Path) -> None:
    git(folder, "sparse-checkout", "set", "--no-cone", "/checks/", "/README.md")
    assert not (folder / A).exists()


def index_of_another_text(folder: Path) -> None:
    """The index holds what the disk holds, and neither is what the commit holds."""
    weaken(folder)
    git(folder, "add", A)


def same_size_same_time(folder: Path) -> None:
    """What ``git status`` looks at has not changed."""
    git(folder, "config", "core.trustctime", "false")
    before = (folder / A).stat()
    (folder / A).write_bytes(b"SELECT 9;\nSELECT 9;\n")
    os.utime(folder / A, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_commit(folder: Path) -> None:
    """``git replace`` lets HEAD look as if it held what lies there."""
    first = git(folder, "rev-parse", "HEAD")
    weaken(folder)
    git(folder, "commit", "-qam", "another")
    other = git(folder, "rev-parse", "HEAD")
    git(folder, "reset", "-q", "--soft", first)
    git(folder, "replace", first, other)
    assert git(folder, "status", "--porcelain") == ""


def smudge_filter(folder: Path) -> None:
    """What is checked out is weaker, and git takes it back to what was committed."""
    git(folder, "config", "filter.weak.smudge", "sed s/2/0/")
    git(folder, "config", "filter.weak.clean", "sed s/0/2/")
    (folder / ".git/info").mkdir(exist_ok=True)
    (folder / ".git/info/attributes").write_text("*.sql filter=weak\n")
    checked_out_again(folder)


def autocrlf(folder: Path) -> None:
    git(folder, "config", "core.autocrlf", "true")
    checked_out_again(folder)


def eol_attribute(folder: Path) -> None:
    (folder / ".git/info").mkdir(exist_ok=True)
    (folder / ".git/info/attributes").write_text("*.sql text eol=crlf\n")
    checked_out_again(folder)


def checked_out_again(folder: Path) -> None:
    git(folder, "rm", "-q", "--cached", "--", A)
    git(folder, "checkout", "HEAD", "--", A)


def gone(folder: Path) -> None:
    (folder / A).unlink()


def linked_elsewhere(folder: Path) -> None:
    write(folder.parent, {"elsewhere.sql": "SELECT 1;\nSELECT 2;\n"})
    (folder / A).unlink()
    (folder / A).symlink_to(folder.parent / "elsewhere.sql")


HIDDEN: list[Callable[[Path], None]] = [
    assume_unchanged,
    skip_worktree,
    sparse_checkout,
    same_size_same_time,
    replaced_commit,
]
REWRITTEN: list[Callable[[Path], None]] = [smudge_filter, autocrlf, eol_attribute]


@pytest.mark.parametrize("change", [*HIDDEN, index_of_another_text, gone, linked_elsewhere])
def test_another_content_is_named(project: Path, change: Callable[[Path], None]) -> None:
    change(project)
    assert compared(project) == Differences(paths=(A,))


@pytest.mark.parametrize("change", REWRITTEN)
def test_what_git_itself_has_rewritten_is_named_as_such(
    project: Path, change: Callable[[Path], None]
) -> None:
    change(project)
    assert git(project, "status", "--porcelain") == ""
    by_attribute = change is not autocrlf
    assert compared(project) == Differences(paths=(A,), rewritten=(A,), by_attribute=by_attribute)


def test_what_was_read_counts_and_not_what_lies_there_now(project: Path) -> None:
    with opened(project) as repository:
        commit, read = git(project, "rev-parse", "HEAD"), {project / A: b"SELECT 1;\n"}
        assert repository.compare(commit, folders=[], read=read).paths == (A,)
        weaken(project)
        read = {project / A: b"SELECT 1;\nSELECT 2;\n"}
        assert repository.compare(commit, folders=[project / "sql"], read=read).paths == ()


def test_what_is_read_and_in_no_commit_is_named(project: Path) -> None:
    (project / ".git/info").mkdir(exist_ok=True)
    (project / ".git/info/exclude").write_text("conftest.py\n")
    write(project, {"conftest.py": "hidden = 1\n", "README.md": "edited\n"})
    outside = project.parent / "conftest.py"
    outside.touch()
    assert compared(project).paths == ()
    found = compared(project, read=("conftest.py", "README.md", "../conftest.py"))
    assert found.paths == tuple(sorted(("README.md", "conftest.py", str(outside))))


def test_an_untouched_project_differs_in_nothing(project: Path) -> None:
    (project / "linked").symlink_to("sql")
    git(project, "add", ".")
    git(project, "commit", "-qm", "a link")
    assert compared(project, read=(A, B, "README.md", "linked/migrations/0001_a.sql")) == (
        Differences()
    )


def test_a_project_in_a_folder_of_a_repository(project: Path) -> None:
    inner = project / "services/my db"
    write(inner, {A: "SELECT 1;\n", "ä b.sql": ""})
    git(project, "add", ".")
    git(project, "commit", "-qm", "another project")
    weaken(project)
    assert compared(project, root=inner, read=("ä b.sql",)) == Differences()
    git(project, "update-index", "--assume-unchanged", f"services/my db/{A}")
    write(inner, {A: "SELECT 0;\n"})
    assert compared(project, root=inner).paths == (f"services/my db/{A}",)
