"""What a person has written is there as a whole, before and after a disk that is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.promotion.commands.new import new_migration
from pytest_housekeeping.promotion.init.written import Written
from pytest_housekeeping.whole_file import write_whole
from support.little_room import room_for


def held(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found}


def test_what_was_there_stays_where_there_is_no_room(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    written = Written(root=tmp_path)
    with room_for(4):
        for write in (written.replace, written.add):
            path = "pyproject.toml" if write == written.replace else "checks/objects.toml"
            with pytest.raises(HousekeepingError, match=f"{path} cannot be written") as caught:
                write(path, "schemas = []\n" * 9)
            assert "fix: make room" in str(caught.value)
    assert held(tmp_path) == {"pyproject.toml": "[project]\n"}
    assert written.files == {}


def test_of_two_files_that_belong_together_none_stays_alone(tmp_path: Path) -> None:
    (tmp_path / "sql/migrations").mkdir(parents=True)
    with room_for(20), pytest.raises(HousekeepingError, match="rollback/0001_a_long_name"):
        list(new_migration(tmp_path, "a long name"))
    assert held(tmp_path) == {}
    list(new_migration(tmp_path, "a long name"))
    assert len(held(tmp_path)) == 2


def test_a_link_and_the_mode_of_a_file_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("before")
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, "after")
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("after", 0o640)
