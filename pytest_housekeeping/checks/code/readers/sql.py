"""References out of a .sql file, by PostgreSQL's own parser."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.checks.code.facts import FileFacts
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.sql.parse import SyntaxRefused, extents, parse
from pytest_housekeeping.sql.parser import ParseError, scan


def read(text: str, file: str) -> FileFacts:
    """Every statement; one that PostgreSQL does not understand is undecided at its line."""
    collector = Collector(file, text)
    for start, end in _split(text):
        piece = text[start:end]
        collector.add_text((piece,), Span(start, end), how=".sql", sink=True)
    return collector.facts()


def _split(text: str) -> Iterator[tuple[int, int]]:
    try:
        statements = parse(text)
    except SyntaxRefused:
        yield from _by_scanner(text)
        return
    for statement, end in extents(statements, text):
        yield statement.offset, statement.offset + len(text[statement.offset : end].rstrip())


def _by_scanner(text: str) -> Iterator[tuple[int, int]]:
    """Cut at the semicolons outside quotes and comments: one bad statement hides no other."""
    try:
        tokens = scan(text)
    except ParseError:
        yield 0, len(text)
        return
    start = end = None
    for token in tokens:
        if text[token.start : token.end] == ";":
            if start is not None and end is not None:
                yield start, end
            start = None
        elif "COMMENT" not in token.name:
            start = token.start if start is None else start
            end = token.end
    if start is not None and end is not None:
        yield start, end
