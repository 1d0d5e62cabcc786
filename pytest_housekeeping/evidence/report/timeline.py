"""The phases of a run one after another, and for how long of it others had to wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.tally import PhaseCount, by_phase
from pytest_housekeeping.model import Phase

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

_BEHIND_COMMIT = (Phase.AFTER,)
_BEFORE_BEGIN = (Phase.PRECHECK, Phase.BACKUP, Phase.REHEARSE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A phase from when to when, in seconds since the first began; ``left`` and ``width`` in
    hundredths of all of it, and so the part of it in which strong locks were held."""

    count: PhaseCount
    begins_s: float
    left: float
    width: float
    locked_s: float
    locked_left: float
    locked_width: float


def timeline(audit: Audit) -> list[Span]:
    """Strong locks are held up to COMMIT, which is the end of the phase before those behind it."""
    counts = by_phase(audit)
    whole = sum(count.duration_s for count in counts) or 1.0
    commit = sum(count.duration_s for count in counts if count.phase not in _BEHIND_COMMIT)
    begun = sum(count.duration_s for count in counts if count.phase in _BEFORE_BEGIN)
    locked_from = max(begun, commit - audit.run.locks_held_s)
    spans, begins = [], 0.0
    for count in counts:
        ends = begins + count.duration_s
        since = min(max(begins, locked_from), ends)
        locked = max(0.0, min(ends, commit) - since) if audit.run.locks_held_s else 0.0
        spans.append(
            Span(
                count=count,
                begins_s=begins,
                left=100 * begins / whole,
                width=100 * count.duration_s / whole,
                locked_s=locked,
                locked_left=100 * since / whole,
                locked_width=100 * locked / whole,
            )
        )
        begins = ends
    return spans
