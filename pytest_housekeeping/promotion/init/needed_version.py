"""The version of PostgreSQL that the files of a project ask for, by the settings that they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.pinned_settings import known_since, young_names
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.project_files import ProjectFiles


def needed_version(config: Config, files: ProjectFiles) -> tuple[int, str]:
    """The oldest major version that knows every setting that a file sets, and the setting that says
    so; 0 and "" where any does. A dump that was taken with pg_dump 17 names one of 17."""
    found = (
        each for path in all_paths(config, files) for each in _settings_in(config, files, path)
    )
    return max(((known_since(name), name) for name in found if known_since(name)), default=(0, ""))


def _settings_in(config: Config, files: ProjectFiles, path: str) -> Iterator[str]:
    # What cannot be read is told where the files are looked at.
    with suppress(SqlFileError, SyntaxRefused, OSError):
        text = text_of(config, files, path)
        if any(name in text.lower() for name in young_names()):
            for statement in parse(text):
                if statement.name == "VariableSetStmt":
                    yield statement.body.get("name", "").lower()
