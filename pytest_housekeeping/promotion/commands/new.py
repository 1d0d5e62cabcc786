"""``python -m pytest_housekeeping new``: the next migration and its rollback file, to be filled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.sql.layouts.new import new_migration as next_files
from pytest_housekeeping.sql.project_files import ProjectFiles

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")


def new_migration(root: Path, words: str) -> Iterator[str]:
    """Make both files, with a comment and no statement: staging refuses them until they have one.

    Yields what is told. Raises MisuseError for a name that a file cannot have.
    """
    name = re.sub(r"[\s-]+", "_", words.strip()).lower()
    if not _NAME.fullmatch(name):
        raise MisuseError(
            f"{words!r} cannot be the name of a migration",
            why="it is a part of the name of its file: letters, digits and _",
            fix="python -m pytest_housekeeping new add_orders_note",
        )
    sources = ProjectFiles(root)
    config = load_config(root, sources, folders=())
    made = next_files(
        config, sources, name, up=f"-- {words.strip()}\n", down=f"-- Undoes {words.strip()}\n"
    )
    for each, text in made.items():
        place = root / each
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    path, *back = made
    yield f"written: {path}"
    for each in back:
        yield f"written: {each}: what undoes it; if nothing can, remove it, and begin the migration"
        yield "  with: -- hk: irreversible, REASON"
    taken_in = (root / config.checks).is_dir()
    command = "pytest --hk-mode=staging" if taken_in else "python -m pytest_housekeeping init"
    yield f"next: write them, and: {command}"
