"""pytest-html's hooks: its page shows the audit, and its table what belongs to no step of the plan.

https://pytest-html.readthedocs.io/en/latest/api_reference.html#hooks
"""

from __future__ import annotations

from typing import Any

from pytest_housekeeping.model import Kind, StepResult
from pytest_housekeeping.plugin.step_properties import RESULT
from pytest_housekeeping.promotion.recorder import Recorder


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
        result: StepResult | None = getattr(report, RESULT, None)
        # A test's own log says more than the message of its result; a step has no other.
        if result is not None and result.step.kind is Kind.TEST and (log := _log(report)):
            self._logs[result.step.id] = log
        elif result is None and report.failed:
            self._others.append((report.nodeid, _log(report)))
        if getattr(report, "extras", None) and report.when == "call":
            self._own_table = True
        else:
            cells.clear()

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


def _log(report: Any) -> str:
    """What pytest itself would show of a report."""
    shown = [report.longreprtext] if getattr(report, "longreprtext", "") else []
    shown += [f"-- {name} --\n{text}" for name, text in getattr(report, "sections", ()) if text]
    return "\n".join(shown)
