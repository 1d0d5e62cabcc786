"""Comments in which a line of code says what it reaches: ``hk: reaches venture.orders -- why``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import (
    MODULE,
    CodeReference,
    Name,
    ReferenceKind,
    Undecided,
)
from pytest_housekeeping.sql.identifiers import split_name

_HINT = re.compile(r"(?:#|//|--|/\*)\s*hk:\s*reaches\b[ \t]*(.*)$")
_NAME = r'(?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?(?:\(\))?'
_REACHES = re.compile(rf"({_NAME}(?:\s*,\s*{_NAME})*)\s+--\s+\S")
_COMMENT = re.compile(r"\s*(?:#|//|--|/\*|\*)")
_NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """One hint: the lines that it decides, and what it says that they reach."""

    lines: frozenset[int] = frozenset()
    found: tuple[CodeReference | Undecided, ...] = ()


def hinted_names(text: str) -> tuple[str, ...] | None:
    """The names that the hints of a text say it reaches; None when it bears no hint."""
    hints = [_REACHES.match(hint[1]) for hint in map(_HINT.search, text.split("\n")) if hint]
    names = [name for hint in hints if hint for name in re.findall(_NAME, hint[1])]
    return tuple(name for name in names if name != _NOTHING) if names else None


def read_hints(file: str, text: str) -> Iterator[Hint]:
    """Every hint of a file. One that is not written as it should be decides no line."""
    if "hk:" not in text:
        return
    for number, row in enumerate(text.split("\n"), start=1):
        hint = _HINT.search(row)
        if hint is None:
            continue
        column = hint.start() + 1
        reaches = _REACHES.match(hint[1])
        if reaches is None:
            yield Hint(found=(_misspelt(file, number, column),))
        else:
            # A comment on a line of its own speaks of the next line.
            lines = {number, number + 1} if _COMMENT.match(row) else {number}
            names = [name for name in re.findall(_NAME, reaches[1]) if name != _NOTHING]
            found = tuple(_reference(file, number, column, name) for name in names)
            yield Hint(lines=frozenset(lines), found=found)


def _reference(file: str, line: int, column: int, name: str) -> CodeReference:
    kind = ReferenceKind.FUNCTION if name.endswith("()") else ReferenceKind.RELATION
    parts = split_name(name.removesuffix("()"))
    return CodeReference(
        file=file,
        line=line,
        column=column,
        symbol=MODULE,
        kind=kind,
        how="a hint",
        names=(Name(parts=parts, kind=kind, line=line, column=column),),
    )


def _misspelt(file: str, line: int, column: int) -> Undecided:
    return Undecided(
        file=file,
        line=line,
        column=column,
        symbol=MODULE,
        reason="the hint is not written: hk: reaches venture.orders -- reason",
    )
