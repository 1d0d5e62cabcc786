"""The roles that the files of a project name and none of them makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.folder import all_paths
from pytest_housekeeping.sql.layouts.read import text_of
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, nodes_of, parse
from pytest_housekeeping.sql.project_files import ProjectFiles


def named_roles(config: Config, files: ProjectFiles) -> frozenset[str]:
    """Of every file, applied or pending, that can be read: owners, grantees, those of policies; a
    role that a body makes or names when it runs is not seen."""
    made: set[str] = set()
    named: set[str] = set()
    for path in all_paths(config, files):
        for statement in _statements(config, files, path):
            if statement.name == "CreateRoleStmt":
                made.add(statement.body["role"])
            elif statement.name != "DropRoleStmt":
                named.update(_roles_of(statement))
    return frozenset(named - made)


def _statements(config: Config, files: ProjectFiles, path: str) -> Iterator[Statement]:
    # What cannot be read is told where the files are looked at.
    with suppress(SqlFileError, SyntaxRefused, OSError):
        yield from parse(text_of(config, files, path))


def _roles_of(statement: Statement) -> Iterator[str]:
    for key, value in nodes_of(statement.body):
        if key == "rolename":
            yield value
        elif key == "granted_roles":
            yield from (each["AccessPriv"]["priv_name"] for each in value)
