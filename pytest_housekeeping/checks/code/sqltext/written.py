"""A name as it is written in a text: what PostgreSQL makes of it, and where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.sql.identifiers import DOTTED


@dataclass(frozen=True, slots=True)
class WrittenName:
    """A name: its identifiers as PostgreSQL stores them, and its spelling in the text.

    ``occurrence``: how often the same spelling stands before it. A place by spelling and count
    survives what happens to the text on its way, such as placeholders written as ``$1``.
    """

    parts: tuple[str, ...]
    kind: ReferenceKind
    spelling: str = ""
    occurrence: int = 0


def find_name(
    text: str, parts: tuple[str, ...], kind: ReferenceKind, at: int | None = None
) -> WrittenName:
    """The name at an offset of the text; without one, the first that is written like it."""
    if at is None:
        match = re.search(r"\W*".join(map(re.escape, parts)), text)
        at = match.start() if match else 0
    else:
        match = DOTTED.match(text, at)
    spelling = match[0] if match else ""
    occurrence = text.count(spelling, 0, at) if spelling else 0
    return WrittenName(parts, kind, spelling, occurrence)
