"""Nothing is imported ahead of a run that asks the compiler: two threads would."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.model import Kind, Phase
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
    watch: Any = SimpleNamespace(asked=asked)
    module.import_ahead(watch, ())
    assert begun == expected


def test_all_that_is_needed_later_is_there() -> None:
    of_checks = (*module._CHECKS.values(), *module._ON_A_COPY.values())
    needed = [*(name for names in of_checks for name in names), *module._AT_THE_END]
    assert [each for each in needed if find_spec(f"pytest_housekeeping.{each}") is None] == []
    module._import(module._AT_THE_END, compiles=True)


def test_what_no_step_of_the_plan_needs_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def imported(names: Iterable[str], *, compiles: bool) -> None:
        given.extend((*names, *(("templates",) if compiles else ())))

    monkeypatch.setattr(module, "_import", imported)
    watch: Any = SimpleNamespace(asked=False)
    kinds = (Kind.MIGRATION, Kind.OBJECT, Kind.QUERY)
    steps: list[Any] = [SimpleNamespace(kind=kind) for kind in kinds]
    # What staging restores at its end is nothing that it waits for at its beginning.
    steps.append(SimpleNamespace(kind=Kind.BACKUP, name="restore"))
    module.import_ahead(watch, steps)
    module.wait_for_imports()
    assert given == ["checks.queries", *module._AT_THE_END, "templates"]
    given.clear()
    steps.append(SimpleNamespace(kind=Kind.BACKUP, name="snapshot"))
    steps.append(SimpleNamespace(kind=Kind.REHEARSAL))
    module.import_ahead(watch, steps)
    module.wait_for_imports()
    assert given == ["checks.queries", "checks.objects", *module._AT_THE_END]


@pytest.mark.parametrize(("asked", "expected"), [(False, 1), (True, 0)])
def test_templates_are_compiled_where_the_run_waits_for_the_copy(
    begun: list[str], asked: bool, expected: int
) -> None:
    watch: Any = SimpleNamespace(asked=asked)
    templates = module.TemplatesAhead(rehearses=True)
    for phase, kind, name, path in (
        (Phase.BACKUP, Kind.BACKUP, "proof", ""),
        (Phase.REHEARSE, Kind.REHEARSAL, "0001_a", "sql/migrations/0001_a.sql"),
        (Phase.REHEARSE, Kind.RLS, "scope", "checks/rls.toml"),
    ):
        step: Any = SimpleNamespace(phase=phase, kind=kind, name=name, path=path)
        templates.before(step, watch)
    assert begun == []
    for name in ("rls-not-enabled", "rls-not-forced"):
        step = SimpleNamespace(
            phase=Phase.REHEARSE, kind=Kind.RLS, name=name, path="checks/rls.toml"
        )
        templates.before(step, watch)
    assert begun == ["hk-imports"] * expected
