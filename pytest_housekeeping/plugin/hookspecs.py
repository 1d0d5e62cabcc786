"""Hooks that other plugins and a project's conftest.py may implement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_housekeeping.declarations.rules import Rule
    from pytest_housekeeping.evidence.finished import Finished


def pytest_housekeeping_rules() -> Iterable[Rule]:  # type: ignore[empty-body]
    """Further rules, each with its tripwire; they become items beside the shipped ones."""


def pytest_housekeeping_finished(finished: Finished, config: pytest.Config) -> None:
    """Called once when a run has ended and its record is kept, however it ended.

    What it raises changes nothing of the outcome, and is said. ``finished`` holds no secret.
    """
