"""The repository that a command is run in: what it is asked about is kept there."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.evidence import Repository, open_repository


def own_repository(root: Path) -> Repository:
    """The repository of the folder. Raises MisuseError where it belongs to none, EvidenceError for
    one that cannot be used."""
    repository = open_repository(root)
    if repository is None:
        raise MisuseError(
            f"{root} belongs to no git repository",
            why="the evidence of a project, and what people have decided, is kept in git",
            fix="run it in a clone of the project",
        )
    return repository
