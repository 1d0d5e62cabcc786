"""What a round trip has found, as findings and as verdicts on rollback files and the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.model import Finding, Level, Step, Verdict
from pytest_housekeeping.plan.rollback_files import (
    BATCH,
    DESTROYS,
    ROUND_TRIP,
    RollbackLink,
    Rollbacks,
)
from pytest_housekeeping.snapshot.compare.difference import Change, diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint

_LEAVES = "rollback-leaves"
_FAILS = "rollback-fails"
_UNSEEN = "rollback-unseen"
_WORDS = {
    Change.ADDED: "is left over",
    Change.REMOVED: "is missing",
    Change.CHANGED: "is not as it was",
}


@dataclass(kw_only=True)
class RoundTripLog:
    """What a round trip has found so far: on the batch as a whole, and by the path of each rollback
    file that was tried. ``undone`` are the links whose rollback file ran, newest first;
    ``examined`` counts the objects that are compared."""

    examined: int = 0
    batch: list[Finding] = field(default_factory=list)
    by_file: dict[str, list[Finding]] = field(default_factory=dict)
    undone: list[RollbackLink] = field(default_factory=list)

    @property
    def paths_undone(self) -> frozenset[str]:
        return frozenset(link.rollback.path for link in self.undone)


def verdicts_of(log: RoundTripLog, links: Sequence[RollbackLink]) -> Mapping[str, Verdict]:
    """The verdict on each rollback file and on the batch, by the id of the step.

    A file that was never tried has failed with the one that failed before it.
    """
    verdicts: dict[str, Verdict] = {}
    undone = log.paths_undone
    failed_before = "taking down views and policies"
    for link in links:
        path = link.rollback.path
        findings = list(log.by_file.get(path, ()))
        if path not in log.by_file:
            findings = [failure(path, f"was not tried: {failed_before} fails first")]
        # It was tried and not undone: it failed, and what comes after it was not tried.
        elif path not in undone:
            failed_before = path
        evidence = f"undone and applied again, {log.examined} objects equal each time"
        verdicts[f"{path}::{ROUND_TRIP}"] = _verdict(log, findings, evidence)
    evidence = "undone as a whole: the schema was the one of before the batch"
    verdicts[f"rollback::{BATCH}"] = _verdict(log, _batch_findings(log, links), evidence)
    return verdicts


def unprovable_rollback(rollbacks: Rollbacks, step: Step) -> Verdict:
    """The verdict on a rollback file that no round trip reaches: a later migration has none."""
    floor = rollbacks.floor.path if rollbacks.floor else "a migration"
    undoes = rollbacks.floor.rollback if rollbacks.floor else ""
    finding = failure(
        step.path,
        f"cannot be tried: {floor} comes after its migration and has no rollback file",
        f"write {undoes}, or say in the migration: -- hk: irreversible, REASON",
    )
    return Verdict(examined=1, unit="rollback files", findings=(finding,))


def differences(expected: Fingerprint, found: Fingerprint, when: str) -> list[Finding]:
    """A finding for each object that is not as it was expected at this moment.

    A column that was dropped can be added at the end alone, so the order of columns is a warning.
    """
    return [
        Finding(
            rule=_LEAVES,
            level=Level.WARNING if each.is_column_order else Level.ERROR,
            object=each.name,
            detail=f"{_WORDS[each.change]} {when}" + f": {each.told}" * bool(each.told),
            fix="let the rollback file undo this as well",
        )
        for each in diff(expected, found)
    ]


def left_over(expected: Fingerprint, found: Fingerprint, lowest: RollbackLink) -> list[Finding]:
    """A finding for each object that stands after the oldest rollback file and did not before its
    migration.

    Objects that are missing or changed are not looked at: repeatable files have been applied since,
    and have changed older tables, for instance by switching row-level security on.
    """
    return [
        Finding(
            rule=_LEAVES,
            level=Level.ERROR,
            object=each.name,
            detail=f"stands after all rollbacks, and did not before {lowest.migration.path}",
            fix="let the rollback file of what made it drop it",
        )
        for each in diff(expected, found)
        if each.change is Change.ADDED
    ]


def destroyed(losses: Iterator[tuple[str, str]]) -> list[Finding]:
    """A notice for each thing that a rollback file destroys."""
    return [
        Finding(rule=DESTROYS, level=Level.NOTICE, object=name, detail=detail)
        for name, detail in losses
    ]


def failure(path: str, detail: str, fix: str = "") -> Finding:
    """A file could not be applied, or not be tried."""
    return Finding(rule=_FAILS, level=Level.ERROR, object=path, detail=detail, fix=fix)


def only_data(link: RollbackLink) -> Finding:
    """Fingerprints see no rows: a migration of nothing but data could come back wrong, unseen."""
    return Finding(
        rule=_UNSEEN,
        level=Level.WARNING,
        object=link.rollback.path,
        detail=f"{link.migration.path} changes no schema, so nothing here shows that its data came"
        " back",
        fix="look at what a query in checks/queries/ could show",
    )


def has_errors(findings: Sequence[Finding]) -> bool:
    return any(each.level is Level.ERROR for each in findings)


def _batch_findings(log: RoundTripLog, links: Sequence[RollbackLink]) -> list[Finding]:
    """The batch as a whole is proved only where each of its links is."""
    if has_errors(log.batch):
        return log.batch
    undone = log.paths_undone
    failed = [
        path
        for link in links
        for path in [link.rollback.path]
        if link.pending and (path not in undone or has_errors(log.by_file[path]))
    ]
    fix = "its own item says what is wrong with it"
    return [*log.batch, *(failure(path, "has failed", fix) for path in failed)]


def _verdict(log: RoundTripLog, findings: Sequence[Finding], evidence: str) -> Verdict:
    return Verdict(
        examined=log.examined,
        findings=tuple(findings),
        evidence=() if has_errors(findings) else (evidence,),
    )
