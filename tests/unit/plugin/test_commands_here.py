"""The commands that are told work as they stand where a plugin that reorders is installed."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from typing import Any

import pytest

from pytest_housekeeping.config import Target
from pytest_housekeeping.evidence import Secrets
from pytest_housekeeping.evidence.finished import Finished, NextTold
from pytest_housekeeping.plugin.machines import told_here
from pytest_housekeeping.plugin.redaction import guard_terminal
from pytest_housekeeping.plugin.refusals import (
    as_run_here,
    shuffling,
    switched_off,
    typed_again,
)

PROMOTE = "pytest --hk-mode=prod --hk-confirm=PROMOTE --hk-plan=1"


class Shuffles:
    """A plugin of the name that pytest-random-order has."""


@pytest.fixture
def config(pytester: pytest.Pytester) -> pytest.Config:
    found = pytester.parseconfigure("-p", "no:django", "-p", "no:anyio")
    for name, _ in tuple(shuffling(found)):
        found.pluginmanager.unregister(name=name)
    found.pluginmanager.register(Shuffles(), "random_order")
    return found


def test_what_changes_a_database_has_it_switched_off(config: pytest.Config) -> None:
    told = as_run_here(f"next: {PROMOTE}; or pytest --hk-mode=rollback --hk-to=x", config)
    assert told == (
        "next: pytest -p no:random_order --hk-mode=prod --hk-confirm=PROMOTE --hk-plan=1; or"
        " pytest -p no:random_order --hk-mode=rollback --hk-to=x"
    )
    assert as_run_here(told, config) == told
    # What changes none is refused for no plugin.
    for mode in ("staging", "plan", "verify"):
        assert as_run_here(f"pytest --hk-mode={mode}", config) == f"pytest --hk-mode={mode}"
    config.pluginmanager.unregister(name="random_order")
    assert as_run_here(PROMOTE, config) == PROMOTE


def test_so_do_the_terminal_and_what_machines_are_told(config: pytest.Config) -> None:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    written = io.StringIO()
    reporter._tw._file = written
    guard_terminal(config, Secrets())
    reporter._tw.line(f"next: {PROMOTE}")
    assert "next: pytest -p no:random_order --hk-mode=prod " in written.getvalue()
    finished = Finished(exit_code=0, next=NextTold(command=PROMOTE, steps=(f"do: {PROMOTE}",)))
    told = told_here(finished, config).next
    for each in (told.command, *told.steps):
        assert "pytest -p no:random_order --hk-mode=prod " in each


def test_outside_of_pytest_it_is_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Namespace(name=each) for each in ("xdist", "randomly", "html", "repeat")]
    monkeypatch.setattr("pytest_housekeeping.plugin.refusals.entry_points", lambda **_: entries)
    assert as_run_here(PROMOTE) == switched_off(PROMOTE, ["repeat", "randomly"])
    assert as_run_here(PROMOTE).startswith("pytest -p no:randomly -p no:repeat --hk-mode=prod ")


def test_the_command_of_a_refusal_is_left_as_it_is(config: pytest.Config) -> None:
    option = Namespace(hk_mode="prod")
    command = typed_again(option, Target(), "PROMOTE", off=["randomly"])
    assert command == "pytest -p no:randomly --hk-mode=prod --hk-confirm=PROMOTE"
    assert as_run_here(command, config) == command


def test_a_command_of_the_tool_tells_it_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytest_housekeeping import __main__

    entries = [Namespace(name="randomly")]
    monkeypatch.setattr("pytest_housekeeping.plugin.refusals.entry_points", lambda **_: entries)
    __main__._out(f"{PROMOTE}\n")
    __main__._say(PROMOTE)
    sys.stdout.flush()
    said = capsys.readouterr()
    assert said.out == said.err == f"{switched_off(PROMOTE, ['randomly'])}\n"
