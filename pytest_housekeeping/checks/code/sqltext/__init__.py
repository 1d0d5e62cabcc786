"""SQL that stands in code: recognised, completed, parsed, and what it names."""

from pytest_housekeeping.checks.code.sqltext.bodies import (
    BodyNames,
    BodyTexts,
    body_texts,
    read_body,
)
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.checks.code.sqltext.hints import hinted_names

__all__ = [
    "BodyNames",
    "BodyTexts",
    "Collector",
    "Span",
    "body_texts",
    "hinted_names",
    "read_body",
]
