"""What the documents say is so: their commands run, and print what is shown."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.console_blocks import Block, missing_line
from support.documents import BLOCKS
from support.fresh_copy import fresh_repository
from support.prepared_python import python_program

# Of this run, not of somebody who types the command.
_OURS = ("PYTEST_", "COV_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONWARNINGS", "TOX_", "GITHUB_", "HK_")


@pytest.mark.parametrize(
    ("script", "blocks"),
    [
        (script, [block for block in BLOCKS if block.no_run is None and block.script == script])
        for script in dict.fromkeys(block.script for block in BLOCKS if block.no_run is None)
    ],
    ids=lambda value: value[0].place if isinstance(value, list) else "",
)
def test_a_command_does_what_the_document_shows(
    script: str, blocks: list[Block], tmp_path: Path
) -> None:
    """A command that several documents give is run once, and compared with what each shows."""
    done = _run(script, tmp_path)

    assert done.returncode == 0, done.stdout
    for block in blocks:
        assert missing_line(block.shown, done.stdout) is None, f"{block.place}\n{done.stdout}"


def test_an_empty_environment_does_as_well(tmp_path: Path) -> None:
    """What is installed from nothing is all that the command needs."""
    (script,) = {b.script for b in BLOCKS if "-m venv" in b.script and b.no_run is None}
    done = _run(script, tmp_path, empty=True)
    assert done.returncode == 0, done.stdout


def _run(script: str, place: Path, *, empty: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=fresh_repository(place / "clone"),
        env=_somebody_elses_environment(place, empty=empty),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


def _somebody_elses_environment(folder: Path, *, empty: bool) -> dict[str, str]:
    """This one without the traces of the suite; `python3` is the Python that runs it.

    The environments that it makes have what this project depends on, or are empty.
    """
    programs = folder / "programs"
    programs.mkdir()
    python_program(programs, empty=empty)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    # Compiling all that is installed takes pip longer than installing it, and little of it is run.
    return kept | {"PATH": f"{programs}:{kept['PATH']}", "PIP_NO_COMPILE": "1"}
