"""Bodies of functions as Liquibase sends them: without comments, unless a mark says otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.sql.text import Woven

# What Liquibase's own reader of SQL takes for one piece; "$$" begins nothing for it.
_PIECE = r"'(?:''|\\.|[^\\'])*'|\"(?:\"\"|\\.|[^\\\"])*\""
_COMMENT = r"--[^\r\n]*|/\*.*?\*/"
_OUTSIDE = re.compile(rf"{_COMMENT}|{_PIECE}|(?<![\w$])\$(?:[A-Za-z_]\w*)?\$", re.DOTALL)
_INSIDE = re.compile(rf"(?P<comment>{_COMMENT})|{_PIECE}", re.DOTALL)


def without_comments_in_bodies(text: str) -> Woven:
    """A text whose dollar-quoted strings hold no comments, each of its lines with the number that
    it had."""
    kept: list[str] = []
    origins = [1]
    line = 1
    for piece, stays in _pieces(text):
        if stays:
            kept.append(piece)
            origins += range(line + 1, line + 1 + piece.count("\n"))
        line += piece.count("\n")
    return Woven("".join(kept), tuple(("", number) for number in origins))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text in its order, and whether each piece of it stays."""
    at = 0
    while found := _OUTSIDE.search(text, at):
        end = found.end()
        if found[0].startswith("$"):
            yield text[at:end], True
            close = text.find(found[0], end)
            close = len(text) if close < 0 else close
            yield from _of_body(text[end:close])
            at = close
            if close < len(text):
                yield found[0], True
                at = close + len(found[0])
        else:
            yield text[at:end], True
            at = end
    yield text[at:], True


def _of_body(body: str) -> Iterator[tuple[str, bool]]:
    at = 0
    for found in _INSIDE.finditer(body):
        if found["comment"] is not None:
            yield body[at : found.start()], True
            yield found[0], False
            at = found.end()
    yield body[at:], True
