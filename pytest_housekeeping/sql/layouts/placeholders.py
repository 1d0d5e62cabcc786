"""``${name}`` in a text, with the values that the settings give."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_housekeeping.sql.header import read_header
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import place

_PLACEHOLDER = re.compile(r"\$\{([^{}\s]+)\}")


def replaced(text: str, values: Mapping[str, str], *, any_case: bool = False) -> Reading:
    """The text with values in the place of names, wherever they stand: in strings and comments as
    well. A file whose header says ``placeholders=none`` stays as it is."""
    if "${" not in text or read_header(text).plain:
        return Reading(text=text)
    known = {_folded(name, any_case): value for name, value in values.items()}
    problems = [
        _unknown(text, found)
        for found in _PLACEHOLDER.finditer(text)
        if _folded(found[1], any_case) not in known
    ]
    return Reading(
        text=_PLACEHOLDER.sub(lambda found: known.get(_folded(found[1], any_case), found[0]), text),
        problems=tuple(problems),
    )


def _folded(name: str, any_case: bool) -> str:
    return name.lower() if any_case else name


def _unknown(text: str, found: re.Match[str]) -> Problem:
    line, column = place(text, found.start())
    return Problem(
        line=line,
        column=column,
        found=f"the placeholder {found[0]} has no value",
        why="it would be stored, or run, as it stands",
        fix=f'under [tool.housekeeping.placeholders]: "{found[1]}" = "…"; if it is meant as it'
        " stands, begin the file with: -- hk: placeholders=none",
    )
