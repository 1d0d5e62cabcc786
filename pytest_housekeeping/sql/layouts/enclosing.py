"""``BEGIN`` and ``COMMIT`` around a file: they say what the batch does for all files together."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_housekeeping.sql.effects import effects_of
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.parse import parsed
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import blanked

_MAY_BEGIN = re.compile(
    r"^[ \t]*(?:begin|start[ \t]+transaction)\b[^;\n]*;", re.IGNORECASE | re.MULTILINE
)
# Without a mode: another isolation level, or a transaction that only reads, is more than that.
_BEGIN = re.compile(
    r"(?:begin(?:\s+(?:work|transaction))?|start\s+transaction)\s*(?:;|\Z)", re.IGNORECASE
)
_COMMIT = re.compile(r"(?:commit|end)(?:\s+(?:work|transaction))?\s*(?:;|\Z)", re.IGNORECASE)


def unenclosed(text: str) -> tuple[str, tuple[Problem, ...]]:
    """The text without its own transaction, if it is one plain transaction, and that it was so.

    Every other character stays where it was. Of whatever says more, two transactions or one that
    is rolled back, nothing is taken out: it is refused where it stands.
    """
    low = text.lower()
    if not ("begin" in low or "start" in low) or not _MAY_BEGIN.search(text):
        return text, ()
    effects = effects_of(parsed(text))
    control = [statement for statement, _ in effects.control]
    if len(control) != 2 or effects.modes:
        return text, ()
    begin = _BEGIN.match(text, control[0].offset)
    commit = _COMMIT.match(text, control[1].offset)
    if begin is None or commit is None:
        return text, ()
    told = Problem.at(
        text,
        begin.start(),
        "BEGIN and COMMIT of the file are left out",
        "it is one transaction with the whole batch, which begins and commits by itself",
        "",
    )
    return blanked(blanked(text, *begin.span()), *commit.span()), (told,)


def with_no_transaction_of_its_own(reading: Reading) -> Reading:
    """The same of what was read of a file."""
    text, told = unenclosed(reading.text)
    if not told:
        return reading
    return replace(reading, text=text, told=(*reading.told, *told))
