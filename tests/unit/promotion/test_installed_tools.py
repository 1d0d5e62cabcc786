"""What a run says that it was made with: what pip would install for this tool, and Python."""

from __future__ import annotations

import sys
from importlib.metadata import distributions, version

from packaging.utils import canonicalize_name

from pytest_housekeeping.promotion.installed_tools import installed_tools


def test_it_is_the_tool_and_all_that_it_needs() -> None:
    found = {tool.name: tool.version for tool in installed_tools()}
    assert list(found) == sorted(found)
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("pytest-housekeeping", "pytest", "psycopg", "gitpython", "pluggy", "smmap"):
        assert found[name] == version(name), name
    # Of an extra that is asked for, and of one that nobody has asked for.
    assert "psycopg-binary" in found
    assert "psycopg-pool" not in found


def test_what_lies_beside_is_not_named() -> None:
    """The test suite has more than the tool needs: what only it asks for."""
    there = {canonicalize_name(each.name) for each in distributions()}
    found = {tool.name for tool in installed_tools()}
    for name in ("hypothesis", "pytest-xdist"):
        assert name in there
        assert name not in found
