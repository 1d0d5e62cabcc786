"""``${name}`` in a text, with the values that the settings give."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_housekeeping.sql.header import read_header
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.problems import Problem

AROUND = ("${", "}")


def replaced(
    text: str,
    values: Mapping[str, str],
    *,
    any_case: bool = False,
    around: tuple[str, str] = AROUND,
) -> Reading:
    """The text with values in the place of names, wherever they stand: in strings and comments as
    well. A file whose header says ``placeholders=none`` stays as it is. ``around`` is what stands
    before and behind a name."""
    begins, ends = around
    if begins not in text or read_header(text).plain:
        return Reading(text=text)
    pattern = re.compile(rf"{re.escape(begins)}([^{{}}\s]+?){re.escape(ends)}")
    known = {_folded(name, any_case): value for name, value in values.items()}
    problems = [
        _unknown(text, found)
        for found in pattern.finditer(text)
        if _folded(found[1], any_case) not in known
    ]
    return Reading(
        text=pattern.sub(lambda found: known.get(_folded(found[1], any_case), found[0]), text),
        problems=tuple(problems),
    )


def _folded(name: str, any_case: bool) -> str:
    return name.lower() if any_case else name


def _unknown(text: str, found: re.Match[str]) -> Problem:
    return Problem.at(
        text,
        found.start(),
        f"the placeholder {found[0]} has no value",
        "it would be stored, or run, as it stands",
        f'under [tool.housekeeping.placeholders]: "{found[1]}" = "…"; if it is meant as it'
        " stands, begin the file with: -- hk: placeholders=none",
        unreadable=True,
    )
