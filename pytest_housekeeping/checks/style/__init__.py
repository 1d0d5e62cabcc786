"""The style of SQL files, by sqlfluff."""

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.checks.style.result import Style, Violation
from pytest_housekeeping.checks.style.verdict import style_verdict

__all__ = ["Linting", "Style", "Violation", "style_verdict"]
