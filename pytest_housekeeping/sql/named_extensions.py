"""The extensions that the files of a project make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, parse
from pytest_housekeeping.sql.project_files import ProjectFiles


def named_extensions(config: Config, files: ProjectFiles) -> frozenset[str]:
    """Of every file, applied or pending, that can be read; an extension that a body makes when it
    runs is not seen."""
    return frozenset(
        name for path in all_paths(config, files) for name, _ in _in_file(config, files, path)
    )


def plainly_made(config: Config, files: ProjectFiles) -> frozenset[str]:
    """Those that a file makes without ``IF NOT EXISTS``: nobody else can have made them before."""
    return frozenset(
        statement.body["extname"]
        for path in all_paths(config, files)
        for statement in _statements(config, files, path)
        if not statement.body.get("if_not_exists")
    )


def extension_schemas(config: Config, files: ProjectFiles) -> dict[str, str]:
    """The schemas in which the files make them, where they say so."""
    return {
        name: schema
        for path in all_paths(config, files)
        for name, schema in _in_file(config, files, path)
        if schema
    }


def _in_file(config: Config, files: ProjectFiles, path: str) -> Iterator[tuple[str, str]]:
    for statement in _statements(config, files, path):
        yield statement.body["extname"], _schema(statement)


def _statements(config: Config, files: ProjectFiles, path: str) -> Iterator[Statement]:
    # What cannot be read is told where the files are looked at.
    with suppress(SqlFileError, SyntaxRefused, OSError):
        text = text_of(config, files, path)
        if "extension" in text.lower():
            yield from (each for each in parse(text) if each.name == "CreateExtensionStmt")


def _schema(statement: Statement) -> str:
    options = (each["DefElem"] for each in statement.body.get("options", []))
    found = (each["arg"]["String"]["sval"] for each in options if each["defname"] == "schema")
    return str(next(found, ""))
