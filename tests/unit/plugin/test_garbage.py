"""Python looks for garbage seldom in an active run, and as often as before behind it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.plugin.ending import Ending
from pytest_housekeeping.plugin.garbage import collect_seldom, pass_over_what_is_there


class Configuration:
    def __init__(self) -> None:
        self.cleanups = ExitStack()

    def add_cleanup(self, work: Callable[[], Any]) -> None:
        self.cleanups.callback(work)


def test_what_is_there_is_passed_over_until_the_end_and_the_thresholds_are_put_back() -> None:
    before, config = gc.get_threshold(), Configuration()
    given: Any = config
    with config.cleanups:
        collect_seldom(given)
        assert gc.get_threshold()[0] > 10_000
        pass_over_what_is_there(given)
        assert gc.get_freeze_count()
        gc.unfreeze()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count()
    gc.unfreeze()


def test_at_the_end_what_is_left_is_looked_through_where_code_of_the_project_has_run() -> None:
    def frozen_behind(code: tuple[str, ...]) -> bool:
        attestation = SimpleNamespace(facts=SimpleNamespace(code=code))
        run = SimpleNamespace(context=SimpleNamespace(attestation=attestation))
        recorder: Any = SimpleNamespace(promotion=SimpleNamespace(run=run))
        unused: Any = None
        ending = Ending(
            unused, recorder=recorder, selection=unused, last_look=print, interruption=unused
        )
        before = gc.get_freeze_count()
        config: Any = SimpleNamespace(pluginmanager=pytest.PytestPluginManager())
        ending.pytest_unconfigure(config)
        return gc.get_freeze_count() > before

    try:
        assert not frozen_behind(("conftest.py",))
        assert frozen_behind(())
    finally:
        gc.unfreeze()
