"""The end of an active run: the database asked, the record written, the outcome told."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.report.wording import COLOURS
from pytest_housekeeping.plugin import machines
from pytest_housekeeping.plugin.interruption import Interruption
from pytest_housekeeping.plugin.other_plugins import package_of
from pytest_housekeeping.plugin.selection import Selection
from pytest_housekeeping.plugin.stash import ENDED
from pytest_housekeeping.plugin.step_properties import of_run, tell_suite
from pytest_housekeeping.promotion.recording.recorder import Recorder

_PAGE = "pytest_html"


def _without_end() -> EvidenceError:
    return EvidenceError(
        "somebody else's hook has kept pytest from the end of its session, where the page is made",
        why="the next run completes the record; until then nobody can rely on it",
        fix="correct the conftest.py or the plugin of which pytest tells, and run again",
    )


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
        self._finished = self._told = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        self._interruption.finishing()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Between the terminal, which reports behind this, and pytest-html, which writes in it."""
        if not session.config.pluginmanager.is_registered(self._active):
            return (yield)
        self._finish(int(session.exitstatus))
        if self.recorder.audit is not None:
            tell_suite(session.config, of_run(self.recorder.audit))
        whole = True
        try:
            return (yield)
        except OSError as error:
            self.recorder.report_failed(error)
        except Exception as error:
            whole = False
            self._go_on_without(error, session)
        finally:
            kept = self._write() and whole
            short = not self.recorder.done and not self._selection.partial
            if (short or not kept) and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            told = machines.tell(session.config, self.recorder, int(session.exitstatus))
            if not told and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            session.config.stash[ENDED] = int(session.exitstatus)

    def _finish(self, exitstatus: int) -> None:
        self._finished = True
        self._interruption.finishing()
        self._last_look()
        doing = "the end of the run: what is open, and its record"
        with self.recorder.promotion.progress.doing(doing):
            self.recorder.finish(exitstatus, partial=self._selection.partial)

    def _write(self) -> bool:
        with self.recorder.promotion.progress.doing("keeping the record of the run"):
            return self.recorder.write(partial=self._selection.partial)

    def _go_on_without(self, error: Exception, session: pytest.Session) -> None:
        """Somebody else's hook failed at the end of the session: that is told, and pytest-html,
        which is asked last, writes its page all the same."""
        where = pytest.ExceptionInfo.from_exception(error).getrepr(style="short")
        said = f"a conftest.py or a plugin failed at the end of the session: {where.reprcrash}"
        self.recorder.messages.append(said)
        hook, manager = session.config.hook.pytest_sessionfinish, session.config.pluginmanager
        others = [each.plugin for each in hook.get_hookimpls() if package_of(each.plugin) != _PAGE]
        page = manager.subset_hook_caller(hook.name, remove_plugins=others)
        page(session=session, exitstatus=session.exitstatus)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """What is true is told, also where somebody's hook has kept pytest from its own end.

        Behind this pytest looks for garbage, to tell whose it is: here nobody's, where no code
        of the project has run, and all of a large schema would be looked through for it."""
        if not self._finished and config.pluginmanager.is_registered(self._active):
            self._finish(int(pytest.ExitCode.INTERNAL_ERROR))
            self.recorder.report_failed(_without_end())
            self._write()
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if self._finished and not self._told and reporter is not None:
            self.pytest_terminal_summary(reporter, config)
        if not self.recorder.promotion.run.context.attestation.facts.code:
            gc.freeze()

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        self._told = True
        terminalreporter.section("promotion", sep="=")
        tone, (verdict, *lines) = self.recorder.summary()
        terminalreporter.write_line(verdict, bold=True, **{COLOURS[tone]: True})
        for line in lines:
            terminalreporter.write_line(line)
        machines.annotate(config)
