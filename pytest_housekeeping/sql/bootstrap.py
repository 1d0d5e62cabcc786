"""What the real server has already, made on throwaway ones: a platform's preset, the project's."""

from __future__ import annotations

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import BOOTSTRAP, bootstrap_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.outside import reached_outside
from pytest_housekeeping.sql.platforms import platform_text
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import place


def bootstrap_texts(config: Config, files: ProjectFiles) -> tuple[tuple[str, str], ...]:
    """What each is called, and its text, in the order in which they run.

    A file that is called after the platform stands in the place of its preset. Raises SqlFileError
    for one that reaches out of the database.
    """
    paths = bootstrap_paths(config, files)
    own = tuple((path, text_of(config, files, path)) for path in paths)
    for path, text in own:
        _refuse_reaching_out(path, text)
    if not has_preset(config, paths):
        return own
    preset = platform_text(config.platform, migrator=config.migrator)
    return ((f"platform {config.platform}", preset), *own)


def has_preset(config: Config, paths: tuple[str, ...]) -> bool:
    """Whether a preset runs before these files of the project."""
    replaced = f"{config.sql}/{BOOTSTRAP}/{config.platform}.sql"
    return bool(config.platform) and replaced not in paths


def _refuse_reaching_out(path: str, text: str) -> None:
    """A superuser may read any file of the machine, and start any program."""
    for offset, what in reached_outside(text):
        line, column = place(text, offset)
        raise SqlFileError(
            f"{path}:{line}:{column}: {what}",
            why="what is read there is in no commit, and nothing known of these files would be"
            " proved again when it changes; what is done there, no run takes back",
            fix="take it out of the file; rows can be written as INSERT ... VALUES",
        )
