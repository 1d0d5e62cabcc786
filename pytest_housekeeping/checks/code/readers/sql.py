"""References out of a .sql file, by PostgreSQL's own parser."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_housekeeping.checks.code.facts import FileFacts, ReferenceKind
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.checks.code.sqltext.placeholders import RUN_TIME_NAME
from pytest_housekeeping.checks.code.sqltext.template import Hole, Template, join
from pytest_housekeeping.sql.parse import SyntaxRefused, extents, parse
from pytest_housekeeping.sql.parser import ParseError, scan

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_NAMED = re.compile(
    r"\{\{-?\s*(?:this|ref\([^()]*\)"
    r"|source\(\s*['\"](?P<schema>\w+)['\"]\s*,\s*['\"](?P<table>\w+)['\"]\s*\))\s*-?\}\}"
)


def read(text: str, file: str) -> FileFacts:
    """Every statement; one that PostgreSQL does not understand is undecided at its line."""
    collector = Collector(file, text)
    for start, end in _split(text):
        piece = text[start:end]
        # PostgreSQL knows such braces too: '{{1, 2}, {3, 4}}' is an array.
        is_template = _JINJA.search(piece) is not None and not _is_sql(piece)
        template = _without_jinja(text, start, end, collector) if is_template else (piece,)
        collector.add_text(template, Span(start, end), how=".sql", sink=True)
    return collector.facts()


def _is_sql(piece: str) -> bool:
    try:
        return bool(parse(piece))
    except (SyntaxRefused, ValueError):
        return False


def _without_jinja(text: str, start: int, end: int, collector: Collector) -> Template:
    """dbt's ``ref()``, ``this`` and ``source()`` are names, and what else Jinja writes is a hole.

    What ``source()`` names is a schema, unless a sources.yml says another, which is read there.
    """
    parts: list[str | Hole] = []
    for match in _JINJA.finditer(text, start, end):
        parts.append(text[start : match.start()])
        start = match.end()
        named = _NAMED.fullmatch(match[0])
        if named is not None and named["table"]:
            name, place = (named["schema"], named["table"]), Span(match.start(), match.end())
            how = "source() of dbt"
            collector.add_name(name, ReferenceKind.RELATION, place, how=how, certain=False)
        said = match[0][2:-2].strip(" -")
        silent = match[0][1] != "{" or said.startswith("config(")
        parts.append(RUN_TIME_NAME if named else " " if silent else Hole(expression=said[:60]))
    return join(parts, [text[start:end]])


def _split(text: str) -> Iterator[tuple[int, int]]:
    try:
        statements = parse(text)
    except SyntaxRefused:
        yield from _by_scanner(_JINJA.sub(lambda match: "j" * len(match[0]), text))
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
