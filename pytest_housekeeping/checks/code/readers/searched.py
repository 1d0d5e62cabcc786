"""References out of a file in a language that no parser here understands: it is searched."""

from __future__ import annotations

from pytest_housekeeping.checks.code.facts import FileFacts
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.checks.code.sqltext.search import searched_names


def read(text: str, file: str) -> FileFacts:
    """What may name something with its schema."""
    collector = Collector(file, text)
    for parts, kind, at in searched_names(text):
        how = "a file that is only searched for names"
        collector.add_name(parts, kind, Span(at, at), how=how, certain=False)
    return collector.facts()
