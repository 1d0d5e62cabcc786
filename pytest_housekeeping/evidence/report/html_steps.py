"""The tables of all steps on the page of a run, one for each phase.

They are built of plain text: a template takes five times as long for a row, and there may be 5,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.display import duration, plural, shortened
from pytest_housekeeping.evidence.report.tally import PhaseCount, by_phase
from pytest_housekeeping.evidence.report.templates import escaped, markup
from pytest_housekeeping.model import Outcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.steps import StepRecord

# Of a message; where there are many steps, less of each: the JSON has all of it.
_LONGEST, _MANY, _SHORT = 4000, 500, 300


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTable:
    """The steps of a phase; ``place`` is where all of them were shown, ``places`` that it differs
    from one to the next. ``rows`` is HTML."""

    name: str
    told: str
    place: str
    places: bool
    rows: str


def step_tables(audit: Audit, logs: Mapping[str, str]) -> list[StepTable]:
    """In the order of the phases; ``logs`` by the id of the step, as plain text."""
    most = _LONGEST if len(audit.steps) <= _MANY else _SHORT
    tables = []
    for count in by_phase(audit):
        steps = [step for step in audit.steps if step.phase is count.phase]
        places = {step.proved_on for step in steps}
        tables.append(
            StepTable(
                name=count.phase,
                told=_told(count),
                place=next(iter(places)) if len(places) == 1 else "",
                places=len(places) > 1,
                rows=markup("\n".join(_rows(steps, logs, most, on=len(places) > 1))),
            )
        )
    return tables


def _told(count: PhaseCount) -> str:
    said = [f"{count.passed:,} passed"]
    said += [f"{count.failed:,} failed"] * bool(count.failed)
    said += [f"{count.skipped:,} skipped"] * bool(count.skipped)
    return f"{plural(count.steps, 'step')}: {', '.join(said)}, {duration(count.duration_s)}"


def _rows(
    steps: Sequence[StepRecord], logs: Mapping[str, str], most: int, *, on: bool
) -> Iterator[str]:
    return (_row(step, logs.get(step.id, ""), most, on=on) for step in steps)


def _row(step: StepRecord, log: str, most: int, *, on: bool) -> str:
    mark = "" if step.outcome is Outcome.PASSED else f' class="{step.outcome}"'
    said = "".join(f"<p>{escaped(line)}</p>" for line in _lines(step, most))
    said += f"<details><summary>its log</summary><pre>{escaped(log)}</pre></details>" if log else ""
    place = f"<td>{step.proved_on}</td>" if on else ""
    return (
        f"<tr{mark}><td>{step.outcome}</td><th>{escaped(step.id)}{said}</th>{place}"
        f"<td>{_count(step.examined)}</td><td>{_count(step.rows)}</td>"
        f"<td>{duration(step.duration_s)}</td></tr>"
    )


def _lines(step: StepRecord, most: int) -> list[str]:
    """What it said, unless that is the number that stands in its column."""
    plain = step.message.startswith(f"{step.examined} ") and step.message.endswith(" examined")
    if plain and step.outcome is Outcome.PASSED:
        return []
    return shortened(step.message, most).splitlines()


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
