"""Two halves of one file, the way up and the way down; every line keeps its number."""

from __future__ import annotations

import re

from pytest_housekeeping.sql.path_names import DOWN

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def down_of(path: str) -> str:
    """What a plan calls the way down that stands in the file of the way up."""
    return path + DOWN


def lower(text: str, cut: int) -> str:
    """What stands behind a place, in the lines in which it stands."""
    return "\n" * text.count("\n", 0, cut) + text[cut:]


def holds_sql(text: str) -> bool:
    """Whether anything but comments, white space and semicolons stands in a text."""
    return bool(_COMMENT.sub("", text).strip(" \t\r\n;"))
