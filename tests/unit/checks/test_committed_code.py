"""The code of a commit is read out of git, whatever the work tree holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.checks.code.facts import CodeReference
from pytest_housekeeping.checks.running.committed_code import (
    RunningApp,
    RunningCommit,
    running_code,
)
from pytest_housekeeping.declarations.boundaries import App, Boundaries
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import Repository
from support.files import write
from support.fresh_copy import commit_all, git
from support.git_folders import opened

TODAY = Boundaries(
    apps=(App(name="shop", roles=("shop_app",), schemas=("shop",), code=("app/**",)),)
)
DECLARED = """
[apps.shop]
roles = ["old_app"]
schemas = ["shop"]
code = ["src/**"]
"""
CODE = 'cur.execute("SELECT {} FROM shop.orders")\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    return root


@pytest.fixture
def repository(place: Path) -> Iterator[Repository]:
    with opened(place) as found:
        yield found


def committed(root: Path, files: dict[str, str]) -> str:
    write(root, files)
    commit_all(root, "code")
    return git(root, "rev-parse", "HEAD")


def read(repository: Repository, root: Path, commit: str) -> tuple[RunningApp, ...]:
    return running_code(
        repository,
        root,
        RunningCommit(commit=commit, known_as="the last promotion"),
        TODAY,
        declared_in="checks/boundaries.toml",
        cache_folder=root.parent / "cache",
    )


def statements(app: RunningApp) -> list[tuple[str, str]]:
    return [
        (each.file, each.text) for each in app.extraction.found if isinstance(each, CodeReference)
    ]


def test_what_the_work_tree_holds_by_now_is_not_read(repository: Repository, place: Path) -> None:
    then = committed(place, {"app/a.py": CODE.format("one"), "app/node_modules/x.js": "x()"})
    committed(place, {"app/a.py": CODE.format("two"), "app/b.py": CODE.format("three")})
    (place / "app/a.py").unlink()
    (app,) = read(repository, place, then)
    assert statements(app) == [("app/a.py", "SELECT one FROM shop.orders")]
    assert app.texts == {"app/a.py": CODE.format("one").encode()}
    assert app.searched == 2
    assert str(app.commit) == f"{then[:12]} (the last promotion)"


def test_the_commit_itself_says_where_its_code_lies_and_who_runs_it(
    repository: Repository, place: Path
) -> None:
    files = {"src/a.py": CODE.format("one"), "app/b.py": CODE.format("two")}
    then = committed(place, {**files, "checks/boundaries.toml": DECLARED})
    (app,) = read(repository, place, then)
    assert app.app.roles == ("old_app",)
    assert [file for file, _ in statements(app)] == ["src/a.py"]
    # What is no declaration, or declares no code of it, is read by what is declared now.
    for text in ("[apps.shop]\nroles = []", DECLARED.replace('code = ["src/**"]', "")):
        now = committed(place, {"checks/boundaries.toml": text})
        (app,) = read(repository, place, now)
        assert (app.app.roles, [f for f, _ in statements(app)]) == (("shop_app",), ["app/b.py"])


def test_a_project_in_a_folder_of_its_repository(repository: Repository, place: Path) -> None:
    then = committed(place, {"one/app/a.py": CODE.format("one"), "app/a.py": CODE.format("two")})
    (app,) = read(repository, place / "one", then)
    assert statements(app) == [("app/a.py", "SELECT one FROM shop.orders")]


def test_a_link_that_leads_out_of_the_commit_is_undecided(
    repository: Repository, place: Path
) -> None:
    (place / "app").mkdir()
    (place / "app/out.py").symlink_to("/etc/passwd")
    then = committed(place, {"app/a.py": "x = 1\n"})
    (app,) = read(repository, place, then)
    assert [each.file for each in app.extraction.undecided] == ["app/out.py"]


def test_nothing_of_it_there_is_nothing_read(repository: Repository, place: Path) -> None:
    (app,) = read(repository, place, committed(place, {"README": "here"}))
    assert (statements(app), app.extraction.unmatched, app.searched) == ([], ("app/**",), 1)


def test_a_commit_that_is_not_here_is_refused(place: Path, tmp_path: Path) -> None:
    old = committed(place, {"app/a.py": CODE.format("one")})
    committed(place, {"app/a.py": CODE.format("two")})
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{place}", str(shallow))
    with opened(shallow) as found, pytest.raises(ProofFailed) as refused:
        read(found, shallow, old)
    assert f"commit {old[:12]} (the last promotion)" in refused.value.found
    assert "git fetch --unshallow" in refused.value.fix
    git(shallow, "fetch", "--quiet", "--unshallow")
    with opened(shallow) as whole:
        assert statements(read(whole, shallow, old)[0])
