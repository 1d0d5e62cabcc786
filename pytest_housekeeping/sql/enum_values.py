"""The values that a SQL file adds to an enum, and whether a file uses one."""

from __future__ import annotations

import json

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.parse import SyntaxRefused, parse
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import decode, place


def uses_constant(files: ProjectFiles, path: str, value: str) -> bool:
    """Whether a string constant of the file, or a text inside a function body, is ``value``."""
    try:
        statements = parse(decode(files.read(path), path))
    except (SqlFileError, SyntaxRefused):
        return False
    bodies = [statement.body for statement in statements if statement.name != "AlterEnumStmt"]
    text = json.dumps(bodies, ensure_ascii=False)
    literal = json.dumps(value, ensure_ascii=False)
    return f'"sval": {literal}' in text or f"'{literal[1:-1]}'" in text


def value_added_at(files: ProjectFiles, path: str, value: str) -> tuple[int, int]:
    """Line and column of the statement that adds an enum value."""
    text = decode(files.read(path), path)
    for statement in parse(text):
        if statement.name == "AlterEnumStmt" and statement.body.get("newVal") == value:
            return place(text, statement.offset)
    return 1, 1
