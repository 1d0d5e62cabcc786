"""References out of a .sql file, by PostgreSQL's own parser."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.code.collector import Collector, Span
from pytest_housekeeping.code.facts import Reading
from pytest_housekeeping.sql.parser import ParseError, scan
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
    except SyntaxRefused:
        yield from _by_scanner(text)
        return
    ends = [statement.offset for statement in statements[1:]] + [len(text)]
    for statement, end in zip(statements, ends, strict=True):
        yield statement.offset, statement.offset + len(text[statement.offset : end].rstrip())


def _by_scanner(text: str) -> Iterator[tuple[int, int]]:
    """At the semicolons outside quotes and comments, so that one bad statement stays alone."""
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
