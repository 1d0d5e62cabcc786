"""pytest-html's hooks: its page shows the audit, and its table what belongs to no step of the plan.

https://pytest-html.readthedocs.io/en/latest/api_reference.html#hooks
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_housekeeping.model import Kind, StepResult
from pytest_housekeeping.plugin.step_properties import RESULT
from pytest_housekeeping.promotion.recording.recorder import Recorder
from pytest_housekeeping.whole_file import put_whole


class HtmlHooks:
    """Registered beside the active run."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._html: Any = None
        self._logs: dict[str, str] = {}
        self._others: list[tuple[str, str]] = []
        self._own_table = False

    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        """Steps have tables of their own; a row is left to what a plugin has added to a test."""
        self._note(report)
        if getattr(report, "extras", None) and report.when == "call":
            self._own_table = True
        else:
            cells.clear()

    def _note(self, report: Any) -> None:
        result: StepResult | None = getattr(report, RESULT, None)
        # A test's own log says more than the message of its result; a step has no other.
        if result is not None and result.step.kind is Kind.TEST and (log := _log(report)):
            self._logs[result.step.id] = log
        elif result is None and report.failed:
            self._others.append((report.nodeid, _log(report)))

    def pytest_html_report_title(self, report: Any) -> None:
        # The environment could hold what is secret, and the plan has an order of its own.
        report.set_data("environment", {})
        report.set_data("initialSort", "original")
        self._html = report

    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        if self.recorder.audit is not None:
            from pytest_housekeeping.evidence.report.html import summary_html, title

            audit = self.recorder.audit
            # pytest-html reads the title only now, when the outcome is known.
            self._html.title = title(audit)
            beside = self.recorder.beside(self._logs)
            prefix.append(summary_html(audit, beside, self._others, own_table=self._own_table))


class OwnPage(HtmlHooks):
    """The same page without pytest-html, which compiles its templates anew for each run of many."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._reports: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_sessionfinish(self) -> None:
        """Raises OSError where it cannot be written."""
        if self.recorder.audit is None:
            return
        from pytest_housekeeping.evidence.report.html import whole_page

        for report in self._reports:
            # Those of setup and teardown are told of where they failed.
            if report.when == "call" or not report.passed:
                self._note(report)
        text = whole_page(self.recorder.audit, self.recorder.beside(self._logs), self._others)
        put_whole(self.recorder.context.html_path, text.encode(errors="surrogateescape"))


def _log(report: Any) -> str:
    """What pytest itself would show of a report."""
    shown = [report.longreprtext] if getattr(report, "longreprtext", "") else []
    shown += [f"-- {name} --\n{text}" for name, text in getattr(report, "sections", ()) if text]
    return "\n".join(shown)
