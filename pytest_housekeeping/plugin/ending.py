"""The end of an active run: the database asked, the record written, the outcome told."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_housekeeping.evidence.report.wording import COLOURS
from pytest_housekeeping.plugin import machines
from pytest_housekeeping.plugin.interruption import Interruption
from pytest_housekeeping.plugin.selection import Selection
from pytest_housekeeping.plugin.stash import ENDED
from pytest_housekeeping.plugin.step_properties import of_run, tell_suite
from pytest_housekeeping.promotion.recording.recorder import Recorder


class Ending:
    """Registered beside the active run, unless it only lists its items.

    ``last_look`` is called when nothing runs any more, before the record is made. Without the
    plugin ``active`` there was no run, and it did not end.
    """

    def __init__(
        self,
        active: object,
        *,
        recorder: Recorder,
        selection: Selection,
        last_look: Callable[[], None],
        interruption: Interruption,
    ) -> None:
        self._active = active
        self.recorder = recorder
        self._selection = selection
        self._last_look = last_look
        self._interruption = interruption

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        self._interruption.finishing()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Between the terminal, which reports behind this, and pytest-html, which writes in it."""
        if not session.config.pluginmanager.is_registered(self._active):
            return (yield)
        self._interruption.finishing()
        partial = self._selection.partial
        progress = self.recorder.promotion.progress
        self._last_look()
        with progress.doing("the end of the run: what is open, and its record"):
            self.recorder.finish(int(session.exitstatus), partial=partial)
        if self.recorder.audit is not None:
            tell_suite(session.config, of_run(self.recorder.audit))
        try:
            return (yield)
        except OSError as error:
            self.recorder.report_failed(error)
        finally:
            session.config.stash[ENDED] = True
            with progress.doing("keeping the record of the run"):
                kept = self.recorder.write(partial=partial)
            short = not self.recorder.done and not partial
            if (short or not kept) and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            told = machines.tell(session.config, self.recorder, int(session.exitstatus))
            if not told and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Behind this pytest looks for garbage, to tell whose it is: here nobody's, where no code
        of the project has run, and all of a large schema would be looked through for it."""
        if not self.recorder.promotion.run.context.attestation.facts.code:
            gc.freeze()

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        terminalreporter.section("promotion", sep="=")
        tone, (verdict, *lines) = self.recorder.summary()
        terminalreporter.write_line(verdict, bold=True, **{COLOURS[tone]: True})
        for line in lines:
            terminalreporter.write_line(line)
        machines.annotate(config)
