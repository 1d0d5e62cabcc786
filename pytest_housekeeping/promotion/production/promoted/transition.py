"""What was promoted to a target: the runs in force there, and those that make up a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.model import Mode, Phase, RunOutcome, Step

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.steps import PlannedStep

# A file or a check by its id and the digest of its text.
Texts: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """What was promoted there in one run or in several, one after the other."""

    runs: tuple[Audit, ...]

    @property
    def told(self) -> str:
        last = self.runs[-1].run
        ids = ", ".join(audit.run.id for audit in self.runs)
        who = f" by {last.actor}" * bool(last.actor)
        return f"at {last.finished_at:%Y-%m-%d %H:%M} UTC{who} (run {ids})"


def in_force(evidence: Iterator[tuple[str, bytes]], target: str) -> list[Audit]:
    """The promotions that came to their end and were not rolled back, the oldest first."""
    read = audits_of(evidence, target)
    done = [each for each in read if each.run.outcome is RunOutcome.PROMOTED]
    runs: list[Audit] = []
    for audit in sorted(done, key=lambda each: each.run.started_at):
        if audit.run.mode is Mode.PROD:
            runs.append(audit)
            continue
        # It has undone this one, and what came after it.
        at = next((n for n, each in enumerate(runs) if each.run.id == audit.run.reverts), 0)
        del runs[at:]
    return runs


def audits_of(evidence: Iterator[tuple[str, bytes]], target: str) -> Iterator[Audit]:
    """Those of runs on this target: another one's, whole and in this one's folder, tells nothing of
    it."""
    for name, data in evidence:
        audit = _read_audit(name, data)
        if audit is not None and audit.run.target == target:
            yield audit


def _read_audit(name: str, data: bytes) -> Audit | None:
    """The audit, if it is one; what is wrong with a file is told by `precheck::audits`."""
    from pytest_housekeeping.errors import EvidenceError
    from pytest_housekeeping.evidence.audit_file import from_json

    if plain_audit(data) is None:
        return None
    try:
        return from_json(data, name=name, intact=True)
    except EvidenceError:
        return None


def made_up_of(wanted: Texts, runs: Sequence[Audit]) -> Iterator[Transition]:
    """Runs one after the other whose files are together just these, the newest first."""
    for end in range(len(runs), 0, -1):
        files: Texts = ()
        for start in range(end - 1, -1, -1):
            files = (*files_of(runs[start].plan.steps), *files)
            if files == wanted and all(runs[at].bound.schema_after for at in range(start, end)):
                yield Transition(runs=tuple(runs[start:end]))
            if len(files) >= len(wanted):
                break


def files_of(steps: Sequence[Step] | Sequence[PlannedStep]) -> Texts:
    """What is applied, in its order."""
    return tuple((step.path, step.sha256) for step in steps if step.phase is Phase.APPLY)
