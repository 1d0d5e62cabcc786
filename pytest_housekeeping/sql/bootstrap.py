"""What the real server has already, made on throwaway ones: a platform's preset, the project's."""

from __future__ import annotations

from pytest_housekeeping.config import Config
from pytest_housekeeping.sql.folder import BOOTSTRAP, bootstrap_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.platforms import platform_text
from pytest_housekeeping.sql.project_files import ProjectFiles


def bootstrap_texts(config: Config, files: ProjectFiles) -> tuple[tuple[str, str], ...]:
    """What each is called, and its text, in the order in which they run.

    A file that is called after the platform stands in the place of its preset.
    """
    paths = bootstrap_paths(config, files)
    own = tuple((path, text_of(config, files, path)) for path in paths)
    if not has_preset(config, paths):
        return own
    preset = platform_text(config.platform, migrator=config.migrator)
    return ((f"platform {config.platform}", preset), *own)


def has_preset(config: Config, paths: tuple[str, ...]) -> bool:
    """Whether a preset runs before these files of the project."""
    replaced = f"{config.sql}/{BOOTSTRAP}/{config.platform}.sql"
    return bool(config.platform) and replaced not in paths
