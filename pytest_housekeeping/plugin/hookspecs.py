"""Hooks that other plugins and a project's conftest.py may implement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_housekeeping.declarations.rules import Rule


def pytest_housekeeping_rules() -> Iterable[Rule]:  # type: ignore[empty-body]
    """Further rules, each with its tripwire; they become items beside the shipped ones."""
