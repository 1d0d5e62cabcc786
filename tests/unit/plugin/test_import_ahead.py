"""Nothing is imported ahead of a run that has still to compile something: two threads would."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.assertion.rewrite import PYC_TAIL

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


@pytest.mark.parametrize(
    ("asked", "rewritten", "expected"),
    [
        (False, lambda _: True, ["hk-imports"]),
        (True, lambda _: True, []),
        (False, lambda name: name != "checks.rls", []),
    ],
)
def test_only_a_warm_run_imports_ahead(
    begun: list[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: bool,
    rewritten: Any,
    expected: list[str],
) -> None:
    monkeypatch.setattr(module, "_is_rewritten", rewritten)
    known: Any = SimpleNamespace(asked=asked)
    module.import_ahead(known)
    assert begun == expected


def test_what_is_there_in_another_form_is_not_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "objects.py").write_text("x = 1\n", encoding="utf-8")
    root = SimpleNamespace(__file__=str(package / "__init__.py"))
    monkeypatch.setattr(module, "pytest_housekeeping", root)
    assert not module._is_rewritten("objects")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / f"objects{PYC_TAIL}").write_bytes(b"of another version")
    assert not module._is_rewritten("objects")


def test_all_that_is_needed_later_is_there() -> None:
    module._import()
