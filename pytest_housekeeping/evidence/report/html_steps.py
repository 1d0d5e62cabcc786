"""The table of all steps in the HTML report, in the pieces that pytest-html's hooks take.

The look is steps.html.jinja and report.css beside this module.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.evidence.report.display import shortened
from pytest_housekeeping.evidence.report.templates import escaped, render_macro
from pytest_housekeeping.model import Outcome, StepResult

_TEMPLATE = "steps.html.jinja"
_COLUMNS = ("result", "phase", "step", "examined", "rows", "duration")
_SORTABLE = {"result", "phase", "step", "duration"}
_NUMBERS = {"examined", "rows", "duration"}
_NO_LOG = "No log output captured."


def table_header() -> list[str]:
    """The cells of pytest_html_results_table_header; sorting is by click on them."""
    return [
        render_macro(_TEMPLATE, "heading", name, " ".join(_classes(name))).strip()
        for name in _COLUMNS
    ]


def table_row(outcome: str, name: str, seconds: float, result: StepResult | None) -> list[str]:
    """The cells of pytest_html_results_table_row.

    ``outcome``: pytest-html's own word for it (``Passed``, ``Failed``, ``Error``, ``Skipped``).
    ``name``: the node id, for a report that belongs to no step; ``result`` is None then.
    """
    row = render_macro(
        _TEMPLATE,
        "row",
        outcome,
        result.step.phase if result else "",
        result.step.id if result else name,
        _first_line(result) if result else "",
        _count(result.examined if result else 0),
        _count(result.rows if result else 0),
        _milliseconds(seconds),
    )
    # One call for a row takes a fifth of the time of one for each cell. No text holds "</td>".
    return [f"{cell.strip()}</td>" for cell in row.split("</td>")[:-1]]


def row_details(result: StepResult | None, log: Sequence[str] = ()) -> list[str]:
    """For pytest_html_results_table_html: what unfolds below a row, or nothing at all.

    ``log``: pytest-html's own lines, escaped already; its "No log output captured." is dropped.
    """
    lines: list[str] = []
    if result:
        lines += [result.message] if result.message else []
        lines += [str(finding) for finding in result.findings]
        lines += [f"proved on: {result.step.proved_on}"] if result.step.proved_on else []
        lines += [f"lock: {lock.mode} on {lock.relation}" for lock in result.locks]
    return [escaped(line) for line in lines] + [
        line for line in log if line.strip() and line != _NO_LOG
    ]


def _classes(column: str) -> list[str]:
    return ["sortable"] * (column in _SORTABLE) + ["hk-number"] * (column in _NUMBERS)


def _first_line(result: StepResult) -> str:
    if result.outcome is Outcome.PASSED:
        return ""
    return shortened(result.message.strip().partition("\n")[0], 200)


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _milliseconds(seconds: float) -> str:
    """pytest-html sorts by the number that stands in front of the unit."""
    return f"{seconds * 1000:.0f} ms" if seconds < 3600 else f"{seconds:.0f}000 ms"
