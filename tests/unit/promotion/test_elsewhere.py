"""A version that production has and no file here: found in another branch, or in what was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.postgres.tool_history.table import TheirRow
from pytest_housekeeping.promotion.production.other_tool.elsewhere import elsewhere
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.git_folders import commit_all, git, init

AT = "services/shop/db"


def _add(root: Path, name: str, text: str) -> None:
    path = root / AT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"-- migrate:up\n{text}", encoding="utf-8")
    commit_all(root, f"adds {name}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in a subfolder: 2 was removed, 3 was renumbered, 4 is on another branch."""
    root = init(tmp_path / "p")
    for number in (1, 2, 3):
        _add(root, f"{number}_a.sql", f"SELECT {number};")
    git(root, "checkout", "-q", "-b", "next")
    _add(root, "4_a.sql", "SELECT 4;")
    git(root, "checkout", "-q", "-")
    git(root, "mv", f"{AT}/3_a.sql", f"{AT}/5_b.sql")
    git(root, "rm", "-q", f"{AT}/2_a.sql")
    commit_all(root, "removed and renumbered")
    return root


@pytest.mark.parametrize(
    ("version", "path", "branch", "now"),
    [
        ("2", "db/2_a.sql", "", ""),
        ("3", "db/3_a.sql", "", "db/5_b.sql"),
        ("0004", "db/4_a.sql", "next", ""),
    ],
)
def test_the_file_of_a_version_is_found(
    root: Path, version: str, path: str, branch: str, now: str
) -> None:
    config = Config(root=root / "services/shop", layout="dbmate", migrations="db")
    sources = ProjectFiles(config.root)
    listing(config, sources)
    sources.seal()
    found = elsewhere(config, sources, TheirRow(version=version, name=version))
    assert found is not None
    assert (found.path, found.branch, found.now) == (path, branch, now)
    assert git(root, "cat-file", "-t", f"{found.commit}:services/shop/{path}") == "blob"


def test_what_was_never_here_is_not_found(root: Path, tmp_path: Path) -> None:
    config = Config(root=root / "services/shop", layout="dbmate", migrations="db")
    assert elsewhere(config, ProjectFiles(config.root), TheirRow(version="9", name="9")) is None
    outside = Config(root=tmp_path, layout="dbmate", migrations="db")
    assert elsewhere(outside, ProjectFiles(tmp_path), TheirRow(version="2", name="2")) is None
