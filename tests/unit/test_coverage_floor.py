"""The floor under the coverage rises or stays; a commit that lowers it is refused here."""

from __future__ import annotations

from pathlib import Path

from coverage_floor import earlier_floors, floor
from support.fresh_copy import ROOT, commit_all, git


def test_the_floor_has_not_sunk() -> None:
    assert floor(ROOT) >= max(earlier_floors(ROOT), default=0), (
        "fail_under of pyproject.toml is lower than it was: test what is not tested any more"
    )


def test_every_floor_of_before_is_known_whoever_lowered_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    assert earlier_floors(tmp_path) == ()
    for number in (70, 81, 79):
        text = f"[tool.coverage.report]\nskip_covered = true\nfail_under = {number}\n"
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        commit_all(tmp_path, f"the floor is {number}")
    (tmp_path / "other").touch()
    commit_all(tmp_path, "something else")

    assert earlier_floors(tmp_path) == (79, 81, 70)
    assert floor(tmp_path) == 79 < max(earlier_floors(tmp_path))


def test_without_git_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n", encoding="utf-8")
    assert earlier_floors(tmp_path) == ()
