"""``python -m pytest_housekeeping new``: the next migration and its rollback file, to be filled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError, MisuseError
from pytest_housekeeping.sql.layouts.new import new_migration as next_files
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.whole_file import write_whole

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
    for each in made:
        if (root / each).exists():
            raise HousekeepingError(f"{each} is there already", fix="run it again")
    for number, (each, text) in enumerate(made.items()):
        try:
            write_whole(root / each, text)
        except HousekeepingError:
            for before in [*made][:number]:
                (root / before).unlink()
            raise
    path, *back = made
    yield f"written: {path}"
    for each in back:
        yield f"written: {each}: what undoes it; if nothing can, remove it, and begin the migration"
        yield "  with: -- hk: irreversible, REASON"
    taken_in = (root / config.checks).is_dir()
    command = "pytest --hk-mode=staging" if taken_in else "python -m pytest_housekeeping init"
    yield f"next: write them, and: {command}"
