"""pytest-html's hooks: its table shows the steps of the plan, and its head shows the audit.

https://pytest-html.readthedocs.io/en/latest/api_reference.html#hooks
"""

from __future__ import annotations

from typing import Any

from pytest_housekeeping.evidence.report.html_steps import row_details, table_header, table_row
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plugin.step_properties import RESULT
from pytest_housekeeping.promotion.recorder import Recorder


class HtmlHooks:
    """Registered beside the active run."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._html: Any = None

    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        cells[:] = table_header()

    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        """One row a step: a setup or teardown that passed has none."""
        if getattr(report, "when", "collect") in ("setup", "teardown") and report.passed:
            cells.clear()
            return
        shown = "Error" if report.failed and report.when != "call" else report.outcome.capitalize()
        result = getattr(report, RESULT, None)
        duration = result.duration_s if result else getattr(report, "duration", 0.0)
        cells[:] = table_row(shown, report.nodeid, duration, result)

    def pytest_html_results_table_html(self, report: Any, data: list[str]) -> None:
        result = getattr(report, RESULT, None)
        # A test's own log says more than the message of its result; a step has no other.
        log = data if result is None or result.step.kind is Kind.TEST else ()
        data[:] = row_details(result, log)

    def pytest_html_report_title(self, report: Any) -> None:
        # The environment could hold what is secret, and the plan has an order of its own.
        report.set_data("environment", {})
        report.set_data("initialSort", "original")
        self._html = report

    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        if self.recorder.audit is not None:
            from pytest_housekeeping.evidence.report.html import summary_html, title

            # pytest-html reads the title only now, when the outcome is known.
            self._html.title = title(self.recorder.audit)
            prefix.append(summary_html(self.recorder.audit))
