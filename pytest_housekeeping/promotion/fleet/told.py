"""What a run on a fleet tells machines: GitHub's summary and outputs, and one object of JSON."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_housekeeping.evidence.finished import (
    MOST_TOLD,
    EvidenceTold,
    Finished,
    NextTold,
    RunTold,
    finding_told,
)
from pytest_housekeeping.evidence.fleet_record import FAILED, FleetRecord
from pytest_housekeeping.evidence.fleet_standing import outcome_of_fleet, troubles
from pytest_housekeeping.evidence.remarks import Remarks
from pytest_housekeeping.evidence.report.fleet import fleet_text, fleet_title
from pytest_housekeeping.evidence.report.fleet_summary import fleet_summary
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.fleet.record import Kept
from pytest_housekeeping.promotion.recording.github import write_for_github


def tell_github(record: FleetRecord, kept: Kept, place: str) -> None:
    """The step summary and the outputs, where a workflow runs. Raises EvidenceError."""
    found = troubles(record)
    outputs = {
        "run": record.id,
        "outcome": outcome_of_fleet(record).value,
        "branch": kept.branch,
        "title": " ".join(fleet_title(record).split()),
        "audit": f"{place}.json",
        "fleet": record.fleet,
        "failed": sum(each.how == FAILED for each in found),
        "errors": len(found),
        "warnings": 0,
        "new": len(found),
    }
    write_for_github(fleet_summary(record), outputs)


def finished_by(
    record: FleetRecord,
    kept: Kept,
    remarks: Remarks,
    place: str,
    *,
    exit_code: int,
    said: Iterable[str],
) -> Finished:
    """The run in one object; ``place`` is that of its record, from the root, without an ending."""
    text = fleet_text(record)
    took = (record.finished_at - record.started_at).total_seconds()
    command = ""
    if record.mode is Mode.PLAN and record.complete and any(g.pending for g in record.groups):
        command = record.command(Mode.PROD)
    elif exit_code:
        command = record.command(record.mode)
    return Finished(
        mode=record.mode,
        fleet=record.fleet,
        databases=record.counts,
        exit_code=exit_code,
        outcome=outcome_of_fleet(record),
        headline=text.headline,
        meaning=text.meaning,
        run=RunTold(
            id=record.id,
            target=record.fleet,
            started_at=record.started_at,
            duration_s=took,
            tool_version=record.tool_version,
            actor=record.actor,
            ci_url=record.ci_url,
            commit=record.commit or "",
        ),
        evidence=EvidenceTold(
            audit=f"{place}.json",
            report=f"{place}.html" if kept.page else "",
            digest=record.chain.digest,
            branch=kept.branch,
        ),
        findings=tuple(finding_told(each) for each in remarks.told[:MOST_TOLD]),
        findings_left_out=max(0, len(remarks.told) - MOST_TOLD) + remarks.left_out,
        said=tuple(line for line in (*said, *kept.told) if line),
        next=NextTold(
            command=command,
            needs_person="--hk-mode=prod" in command,
            steps=text.next_steps,
        ),
    )
