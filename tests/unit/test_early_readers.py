"""``… | head`` takes nothing from a command but the lines that nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def unread(folder: Path, *command: str) -> tuple[int, bytes]:
    """The exit code, and what stands on standard error, of a command into a pipe without reader."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_housekeeping", *command],
            cwd=folder,
            env=os.environ | {"XDG_STATE_HOME": str(folder / "state")},
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("command", "code"), [(["docs", "checks"], 0), (["docs"], 0), (["sandbox", "--status"], 3)]
)
def test_the_exit_code_is_that_of_the_command(
    tmp_path: Path, command: list[str], code: int
) -> None:
    assert unread(tmp_path, *command) == (code, b"")


def test_what_is_to_be_written_is_written(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    command = [sys.executable, "-m", "pytest_housekeeping", "new", "customers"]
    read = subprocess.run(command, cwd=one, stdout=subprocess.PIPE, check=True)

    assert unread(two, "new", "customers") == (0, b"")
    assert len(read.stdout.splitlines()) > 1, "one line is said when all is written"
    assert files_in(one)
    assert files_in(two) == files_in(one)


def files_in(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
