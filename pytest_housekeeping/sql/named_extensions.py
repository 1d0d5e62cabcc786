"""The extensions that the files of a project make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.project_files import ProjectFiles


def named_extensions(config: Config, files: ProjectFiles) -> frozenset[str]:
    """Of every file, applied or pending, that can be read; an extension that a body makes when it
    runs is not seen."""
    return frozenset(
        name for path in all_paths(config, files) for name in _in_file(config, files, path)
    )


def _in_file(config: Config, files: ProjectFiles, path: str) -> Iterator[str]:
    # What cannot be read is told where the files are looked at.
    with suppress(SqlFileError, SyntaxRefused, OSError):
        text = text_of(config, files, path)
        if "extension" in text.lower():
            for statement in parse(text):
                if statement.name == "CreateExtensionStmt":
                    yield statement.body["extname"]
