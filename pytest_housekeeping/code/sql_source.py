"""References out of a .sql file, by PostgreSQL's own parser."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.code.collector import Collector, Span
from pytest_housekeeping.code.facts import Reading
from pytest_housekeeping.code.placeholders import normalise
from pytest_housekeeping.statements import SyntaxRefused, parse


def read(text: str, file: str) -> Reading:
    """Every statement; one that PostgreSQL does not understand is undecided at its line."""
    collector = Collector(file, text)
    for start, end in _split(text):
        piece = text[start:end]
        collector.sql((piece,), Span(start, end), how=".sql", sink=True)
    return collector.reading()


def _split(text: str) -> Iterator[tuple[int, int]]:
    try:
        statements = parse(text)
    except (SyntaxRefused, ValueError):
        yield from _by_scanner(text)
        return
    ends = [statement.offset for statement in statements[1:]] + [len(text)]
    for statement, end in zip(statements, ends, strict=True):
        yield statement.offset, statement.offset + len(text[statement.offset : end].rstrip())


def _by_scanner(text: str) -> Iterator[tuple[int, int]]:
    """Statement by statement at the semicolons outside quotes and brackets."""
    from pglast import parser

    raw = normalise((text,)).text
    try:
        # Placeholders would stop the scanner; where they change no length, places stay exact.
        pieces = parser.split(raw, with_parser=False)
    except (parser.ParseError, ValueError, IndexError):
        yield 0, len(text)
        return
    at = 0
    for piece in pieces:
        words = piece.strip()
        found = text.find(words, at) if words else -1
        if found < 0:
            found = at
        end = min(len(text), found + max(len(words), 1))
        if text[found:end].strip():
            yield found, end
        at = end
