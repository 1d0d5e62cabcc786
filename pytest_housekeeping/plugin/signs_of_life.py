"""pytest's side of the signs of life: `Progress` is told what is done, its lines are shown."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_housekeeping.plugin.live_lines import LiveLines
from pytest_housekeeping.plugin.stash import PROMOTION
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.recording.recorder import Recorder
from pytest_housekeeping.promotion.signs_of_life import SignsOfLife


class SignsOfLifeHooks:
    """Registered beside the active run, unless it only lists its items.

    It begins to watch when it is made, and ends with pytest. Who sits in a debugger is not told
    that something takes long.
    """

    def __init__(self, config: pytest.Config, progress: Progress) -> None:
        self._config = config
        self._progress = progress
        self._lines = LiveLines(config)
        self._watch = SignsOfLife(progress, self._connection)
        progress.tell = self._lines.write
        config.add_cleanup(self._end)
        if not (config.option.usepdb or config.option.trace):
            self._watch.start()

    def follow(self, recorder: Recorder) -> None:
        """The run is put together: its passwords are kept out, its lock_timeout is known."""
        self._lines.keep_out(recorder.secrets)
        self._watch.ask_before_end_of(recorder.run.context.config.lock_timeout)

    def _connection(self) -> LentConnection | None:
        promotion = self._config.stash.get(PROMOTION, None)
        return promotion.run.target.connection.opened if promotion is not None else None

    def _end(self) -> None:
        self._watch.stop()
        self._lines.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, Any, Any]:
        with self._progress.doing("the collection of the plan"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with self._progress.doing(item.nodeid):
            return (yield)
