"""Texts of a conftest.py that marks, hides or reverses the items of a run."""

from __future__ import annotations

MARK = """
import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if {match!r} in item.nodeid:
            item.add_marker(pytest.mark.{mark})
"""
HIDE = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if {match!r} not in item.nodeid]
"""
REVERSED = """
import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.reverse()
"""
