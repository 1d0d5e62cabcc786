"""Nothing is imported ahead of a run that asks the compiler: two threads would."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.plugin import import_ahead as module


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that were begun."""
    names: list[str] = []

    class Begun(threading.Thread):
        def start(self) -> None:
            names.append(self.name)

    monkeypatch.setattr(module.threading, "Thread", Begun)  # type: ignore[attr-defined]
    return names


@pytest.mark.parametrize(("asked", "expected"), [(False, ["hk-imports"]), (True, [])])
def test_only_a_run_that_asks_nothing_imports_ahead(
    begun: list[str], asked: bool, expected: list[str]
) -> None:
    known: Any = SimpleNamespace(asked=asked)
    module.import_ahead(known)
    assert begun == expected


def test_all_that_is_needed_later_is_there() -> None:
    module._import()
