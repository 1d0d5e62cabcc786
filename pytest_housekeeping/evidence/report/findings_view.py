"""The findings of a run as a report tells them: what is new, what is fixed, what has stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.compared_findings import sorted_findings
from pytest_housekeeping.evidence.kinds import FindingKind, kinds_of
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.evidence.report.tally import gravest_first

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import ExemptedRecord, FindingRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingsView:
    """``beside`` says with what they were compared; without ``compared`` all of them are new."""

    compared: bool
    beside: str
    new: tuple[FindingKind[FindingRecord], ...]
    standing: tuple[FindingKind[FindingRecord], ...]
    fixed: tuple[FindingRecord, ...]
    exempted: tuple[ExemptedRecord, ...]
    count_new: int
    count_standing: int
    oldest: str


def findings_view(audit: Audit) -> FindingsView:
    known, held = sorted_findings(audit), audit.compared
    beside = f"against those of run {held.run} of {held.at[:10]}" if held.run else held.why_not
    return FindingsView(
        compared=bool(held.run),
        beside=beside,
        new=tuple(kinds_of(gravest_first(known.new))),
        standing=tuple(kinds_of(gravest_first(known.standing))),
        fixed=known.fixed,
        exempted=held.exempted,
        count_new=len(known.new),
        count_standing=len(known.standing),
        oldest=oldest(known.standing),
    )


def counts_told(known: FindingsView) -> str:
    """``2 new, 1 fixed, 7 standing, 1 exempt``."""
    if not known.compared:
        said = [plural(known.count_new, "finding")] * bool(known.count_new)
    else:
        said = [f"{known.count_new:,} new", f"{len(known.fixed):,} fixed"]
        said += [f"{known.count_standing:,} standing"]
    said += [f"{len(known.exempted):,} exempt"] * bool(known.exempted)
    return ", ".join(said)


def oldest(findings: Sequence[FindingRecord]) -> str:
    """The day since which the first of them has stood."""
    return min((each.since for each in findings), default="")[:10]


def age(since: str, at: datetime) -> str:
    """``12 days``, as of the run; "" where nobody knows since when."""
    try:
        began = datetime.fromisoformat(since)
    except ValueError:
        return ""
    days = (at.astimezone(UTC) - began.astimezone(UTC)).days
    return plural(days, "day") if days > 0 else "today"
