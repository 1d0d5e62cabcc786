"""What the real server has already, made on throwaway ones: a platform's preset, the project's."""

from __future__ import annotations

from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import BOOTSTRAP, bootstrap_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.platforms import platform_text
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import place


def bootstrap_texts(config: Config, files: ProjectFiles) -> tuple[tuple[str, str], ...]:
    """What each is called, and its text, in the order in which they run.

    A file that is called after the platform stands in the place of its preset. Raises SqlFileError
    for one that loads another file.
    """
    paths = bootstrap_paths(config, files)
    own = tuple((path, text_of(config, files, path)) for path in paths)
    for path, text in own:
        _refuse_loading(path, text)
    if not has_preset(config, paths):
        return own
    preset = platform_text(config.platform, migrator=config.migrator)
    return ((f"platform {config.platform}", preset), *own)


def has_preset(config: Config, paths: tuple[str, ...]) -> bool:
    """Whether a preset runs before these files of the project."""
    replaced = f"{config.sql}/{BOOTSTRAP}/{config.platform}.sql"
    return bool(config.platform) and replaced not in paths


def _refuse_loading(path: str, text: str) -> None:
    """A superuser may read any file of the machine. What the parser refuses, the server tells."""
    with suppress(SyntaxRefused):
        for each in parse(text) if "copy" in text.lower() else ():
            if each.name == "CopyStmt" and each.body.get("is_from") and each.body.get("filename"):
                line, column = place(text, each.offset)
                raise SqlFileError(
                    f"{path}:{line}:{column}: COPY from a file or a program of the machine",
                    why="what it loads is in no commit, and nothing known of these files would be"
                    " proved again when it changes",
                    fix="write the rows as INSERT ... VALUES",
                )
