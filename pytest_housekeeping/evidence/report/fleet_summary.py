"""A run on a fleet as GitHub Markdown: for the page of a workflow, a pull request, an issue."""

from __future__ import annotations

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence.fleet_record import FleetRecord
from pytest_housekeeping.evidence.fleet_standing import counted, troubles
from pytest_housekeeping.evidence.report.fleet import (
    fleet_facts,
    fleet_text,
    group_told,
    wave_rows,
)
from pytest_housekeeping.evidence.report.github import LONGEST, MARK
from pytest_housekeeping.evidence.report.markdown import Section, block, cell, fitted, size

_DETAIL = 1000


def fleet_summary(record: FleetRecord) -> str:
    """Fewer than 65,536 characters. What a project named stands in code only."""
    text = fleet_text(record)
    head = [f"## {MARK[text.tone]} {text.headline}", text.meaning]
    facts = "\n".join(f"| {f.name} | {cell(f.value)} {cell(f.more)} |" for f in fleet_facts(record))
    head.append(f"| | |\n| --- | --- |\n{facts}")
    if text.next_steps:
        steps = "\n".join(f"- {step}" for step in text.next_steps)
        head.append(f"### What to do now\n\n{steps}")
    tail = [f"Evidence: {cell(record.stem)}, digest {cell(record.chain.digest)}\n"]
    sections = [each for each in _sections(record) if each.entries]
    room = LONGEST - sum(size(part) + 2 for part in (*head, *tail)) - 2 * len(sections)
    return "\n\n".join([*head, *fitted(sections, room, "in the report"), *tail])


def _sections(record: FleetRecord) -> list[Section]:
    return [
        Section(
            title="Databases by state",
            head="| databases | state |\n| ---: | --- |\n",
            entries=tuple(f"| {count:,} | {how} |" for how, count in counted(record)),
        ),
        Section(
            title="Stragglers",
            between="\n\n",
            entries=tuple(
                f"**{each.how}** {cell(each.name)} {cell(each.where)}\n\n"
                f"{block(each.said.strip() or 'nothing was begun', _DETAIL)}"
                for each in troubles(record)
            ),
        ),
        Section(
            title="Groups",
            head="| group | of it | databases |\n| --- | --- | --- |\n",
            entries=tuple(
                f"| {cell(each.name)} | {group_told(each)} | {cell(named(each.databases))} |"
                for each in record.groups
            ),
        ),
        Section(
            title="Waves",
            head="| wave | databases | how they stand | their runs together |\n"
            "| --- | ---: | --- | ---: |\n",
            entries=tuple(
                f"| {cell(name)} | {count:,} | {told} | {took} |"
                for name, count, told, took in wave_rows(record)
            ),
        ),
    ]
