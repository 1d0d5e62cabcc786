"""A project inside another: pytest may take the outer one, whose files are not meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_housekeeping.plugin.options import refuse_outer_project

OURS = "[tool.housekeeping]\n"


def project(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("below", ["", "sql/migrations", "checks"])
def test_an_inner_project_is_not_run_as_the_outer_one(tmp_path: Path, below: str) -> None:
    inner = project(tmp_path / "services" / "shop", OURS)
    here = inner / below
    with pytest.raises(pytest.UsageError, match="would not be read") as e:
        refuse_outer_project(here, tmp_path)
    assert str(inner / "pyproject.toml") in str(e.value)
    assert "fix: add an empty table [tool.pytest.ini_options]" in str(e.value)


@pytest.mark.parametrize("text", ["", "[tool.ruff]\n", "[project]\nname = 'x'\n", "= broken"])
def test_a_folder_without_settings_of_ours_belongs_to_the_outer_project(
    tmp_path: Path, text: str
) -> None:
    project(tmp_path, OURS)
    refuse_outer_project(project(tmp_path / "library", text), tmp_path)


def test_the_project_itself_and_what_is_elsewhere_are_no_inner_ones(tmp_path: Path) -> None:
    root, other = project(tmp_path / "a", OURS), project(tmp_path / "b", OURS)
    refuse_outer_project(root, root)
    refuse_outer_project(root / "sql", root)
    refuse_outer_project(other, root)


def test_what_is_advised_makes_it_a_project_of_its_own(tmp_path: Path) -> None:
    """What pytest takes for the rootdir is asked of pytest."""
    project(tmp_path, "[tool.pytest.ini_options]\n" + OURS)
    inner = project(tmp_path / "shop", OURS)
    assert rootdir(inner) == tmp_path
    project(inner, OURS + "[tool.pytest.ini_options]\n")
    assert rootdir(inner) == inner


def rootdir(here: Path) -> Path:
    command = [sys.executable, "-m", "pytest", "--collect-only"]
    said = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("rootdir: "))
    return Path(line.removeprefix("rootdir: "))
