"""The tool's own modules are read as Python keeps them, and everybody else's as pytest does."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec

import pytest

from pytest_housekeeping.plugin.plain_imports import PlainImports, import_plainly


def test_own_modules_are_not_rewritten_until_the_run_is_over(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a module that another test has imported, its own way is told.
    monkeypatch.delitem(sys.modules, "pytest_housekeeping.server.stand_in", raising=False)
    config = pytester.parseconfigure("-p", "no:django", "-p", "no:anyio")
    import_plainly(config)
    found = find_spec("pytest_housekeeping.server.stand_in")
    assert found is not None
    assert type(found.loader) is SourceFileLoader
    assert PlainImports().find_spec("pytest_html.plugin", None) is None
    config._ensure_unconfigure()
    assert not any(isinstance(finder, PlainImports) for finder in sys.meta_path)
