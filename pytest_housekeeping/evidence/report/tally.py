"""What an audit holds, counted and put in the order in which a person reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.kinds import GRAVITY, FindingKind, kinds_of
from pytest_housekeeping.model import Outcome, Phase
from pytest_housekeeping.plan.problems import REACHES, STAYS

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.findings import FindingRecord
    from pytest_housekeeping.evidence.model.steps import StepRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseCount:
    """The steps of a phase, by how they ended."""

    phase: Phase
    passed: int
    failed: int
    skipped: int
    examined: int
    duration_s: float

    @property
    def steps(self) -> int:
        return self.passed + self.failed + self.skipped


def failures(audit: Audit) -> list[StepRecord]:
    """The steps that failed, in the order in which they ran: the first is the one to read."""
    return [step for step in audit.steps if step.outcome is Outcome.FAILED]


def as_it_was(said: str, audit: Audit) -> str:
    """Of a batch that was rolled back, with what of it no rollback takes back."""
    told = {each.rule for each in audit.findings}
    stays = " and ".join(rule for rule in (REACHES, STAYS) if rule in told)
    but = f", but for what no rollback takes back ({stays})" if stays else ""
    return said.replace("as it was", f"as it was{but}")


def lock_conflicts(audit: Audit) -> list[str]:
    """A line for each step that met locks of others: how often, what was said, who was there."""
    lines = []
    for step in dict.fromkeys(each.step for each in audit.lock_conflicts):
        met = [each for each in audit.lock_conflicts if each.step == step]
        seen = dict.fromkeys(who for each in met for who in each.in_the_way)
        times = "once" if len(met) == 1 else f"{len(met)} times"
        found = "; ".join(dict.fromkeys(each.found for each in met))
        lines.append(f"{step} met a lock {times}: {found}")
        lines += [f"in its way: {who}" for who in seen]
    return lines


def findings(audit: Audit) -> list[FindingRecord]:
    """The gravest first, otherwise as they were seen."""
    return gravest_first(audit.findings)


def gravest_first(found: Iterable[FindingRecord]) -> list[FindingRecord]:
    return sorted(found, key=lambda finding: GRAVITY[finding.level])


def kinds(audit: Audit) -> list[FindingKind[FindingRecord]]:
    """The same by cause: what is alike in one, and what follows from it below."""
    return kinds_of(findings(audit))


def by_phase(audit: Audit) -> list[PhaseCount]:
    """One entry for every phase that has steps, in the order in which phases run."""
    return [
        PhaseCount(
            phase=phase,
            passed=count[Outcome.PASSED],
            failed=count[Outcome.FAILED],
            skipped=count[Outcome.SKIPPED],
            examined=sum(step.examined for step in steps),
            duration_s=sum(step.duration_s for step in steps),
        )
        for phase in Phase
        if (steps := [step for step in audit.steps if step.phase is phase])
        for count in [Counter(step.outcome for step in steps)]
    ]
