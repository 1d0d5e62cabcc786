"""SQL that stands in code: recognised, completed, parsed, and what it names."""

from pytest_housekeeping.checks.code.sqltext.bodies import BodyNames, read_body
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.checks.code.sqltext.hints import hinted_names

__all__ = ["BodyNames", "Collector", "Span", "hinted_names", "read_body"]
