"""An environment that is prepared for an installation has all but what is to be installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.prepared_python import prepared_python


def test_it_has_what_the_project_depends_on_and_not_the_project(tmp_path: Path) -> None:
    programs = prepared_python(tmp_path / "venv")

    names = listed(programs)
    assert {"pip", "pytest", "psycopg-binary", "sqlfluff", "postgast"} <= names
    # Nor what only these tests want: somebody who follows a page does not have it.
    assert {"pytest-housekeeping", "pytest-xdist", "pytest-randomly", "hypothesis"} & names == set()
    version = [str(programs / "pytest"), "--version"]
    assert subprocess.run(version, cwd=tmp_path, check=False).returncode == 0


def test_an_empty_one_has_pip_alone(tmp_path: Path) -> None:
    assert listed(prepared_python(tmp_path / "venv", empty=True)) == {"pip"}


def listed(programs: Path) -> set[str]:
    command = [str(programs / "pip"), "list", "--format=json", "--disable-pip-version-check"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {each["name"].lower() for each in json.loads(done.stdout)}
