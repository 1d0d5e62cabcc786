"""Whose checks a watch asks for: of a commit that holds what is pending, those of one before."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.promotion.production.other_tool.beside import commit_before, holds_any
from support.git_folders import commit_all, init, opened


def test_the_commit_before_what_is_pending_came_in(tmp_path: Path) -> None:
    root, commits = init(tmp_path / "p"), []
    for number in (1, 2, 3):
        (root / f"{number}.sql").write_text("SELECT 1;\n", encoding="utf-8")
        commits.append(commit_all(root, str(number)))
    with opened(root) as repository:
        assert commit_before(repository, ["2.sql", "3.sql"]) == commits[0]
        assert holds_any(repository, commits[2], ["3.sql"])
        assert not holds_any(repository, commits[1], ["3.sql"])
        assert not holds_any(repository, commits[1], [])
        assert not holds_any(repository, "0" * 40, ["3.sql"])
        assert commit_before(repository, ["1.sql"]) == ""
