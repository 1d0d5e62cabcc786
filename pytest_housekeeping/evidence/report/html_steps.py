"""The table of all steps, as the hooks of pytest-html take it. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_housekeeping.evidence.report import wording
from pytest_housekeeping.model import Outcome, StepResult

_COLUMNS = ("result", "phase", "step", "examined", "rows", "duration")
_SORTABLE = {"result", "phase", "step", "duration"}
_NUMBERS = {"examined", "rows", "duration"}


def table_header() -> list[str]:
    """The cells of pytest_html_results_table_header; sorting is by click on them."""
    return [_head(name) for name in _COLUMNS]


def table_row(outcome: str, name: str, seconds: float, result: StepResult | None) -> list[str]:
    """The cells of pytest_html_results_table_row.

    ``outcome``: pytest-html's own word for it (``Passed``, ``Failed``, ``Error``, ``Skipped``).
    ``name``: the node id, for a report that belongs to no step; ``result`` is None then.
    """
    phase = result.step.phase.value if result else ""
    shown = wording.html(result.step.id if result else name)
    return [
        f'<td class="col-result">{wording.html(outcome)}</td>',
        f'<td class="col-phase">{phase}</td>',
        f'<td class="col-step">{shown}{_first_line(result)}</td>',
        f'<td class="col-examined hk-number">{_count(result.examined if result else 0)}</td>',
        f'<td class="col-rows hk-number">{_count(result.rows if result else 0)}</td>',
        f'<td class="col-duration hk-number">{_milliseconds(seconds)}</td>',
    ]


def row_details(result: StepResult | None, log: Sequence[str] = ()) -> list[str]:
    """For pytest_html_results_table_html: what unfolds below a row, or nothing at all.

    ``log``: pytest-html's own lines, escaped already; its "No log output captured." is dropped.
    """
    lines: list[str] = []
    if result:
        lines += [wording.html(result.message)] if result.message else []
        lines += [wording.html(str(finding)) for finding in result.findings]
        lines += [
            f"lock: {wording.html(lock.mode)} on {wording.html(lock.relation)}"
            for lock in result.locks
        ]
    return lines + [line for line in log if line.strip() and line != "No log output captured."]


def _head(name: str) -> str:
    kinds = ["sortable"] * (name in _SORTABLE) + ["hk-number"] * (name in _NUMBERS)
    classes = " ".join(kinds)
    return f'<th scope="col" class="{classes}" data-column-type="{name}">{name.capitalize()}</th>'


def _first_line(result: StepResult | None) -> str:
    if not result or not result.message or result.outcome is Outcome.PASSED:
        return ""
    line = wording.shortened(result.message.strip().partition("\n")[0], 200)
    return f'<div class="hk-note">{wording.html(line)}</div>'


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _milliseconds(seconds: float) -> str:
    """pytest-html sorts by the number that stands in front of the unit."""
    return f"{seconds * 1000:.0f} ms" if seconds < 3600 else f"{seconds:.0f}000 ms"
