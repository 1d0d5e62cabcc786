"""What a rollback will run, in order: what stands in the way goes, rollback files, older texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.model import Kind, Mode, Phase, Step
from pytest_housekeeping.plan.plan import AppliedFile, Plan
from pytest_housekeeping.plan.steps import (
    APPLY,
    Segment,
    backup_steps,
    between_steps,
    digest_of,
    precheck_steps,
    promote_step,
)
from pytest_housekeeping.sql.file import SqlFile, step_of

BACKUP = "backup"
DROP = "drop"


@dataclass(frozen=True, kw_only=True, slots=True)
class Undoing:
    """A migration that is to be undone, and its rollback file; ``place`` is the promotion that
    applied it and the segment in which it did."""

    path: str
    rollback: SqlFile | None
    place: tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What is to be done: ``drops`` take down what the views and policies made, ``undoing`` goes
    from the newest migration to the oldest, ``restored`` are older texts in their order."""

    drops: tuple[SqlFile, ...]
    undoing: tuple[Undoing, ...]
    restored: tuple[SqlFile, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The migrations that have no rollback file."""
        return tuple(each.path for each in self.undoing if each.rollback is None)

    @property
    def rollbacks(self) -> tuple[SqlFile, ...]:
        return tuple(each.rollback for each in self.undoing if each.rollback is not None)


def build_undo(
    config: Config,
    work: Work,
    *,
    past: Sequence[AppliedFile],
    contracts: Contracts,
    verify: Sequence[Step],
) -> Plan:
    """The plan of a rollback. ``contracts`` and ``verify`` are those of the schema gone back to.

    A promotion that was cut into segments is undone in as many; several promotions that were not
    are undone in one transaction.
    """
    segments = tuple(_cut(work))
    last = segments[-1].number
    backup = f"rollback::{BACKUP}"
    checks = [Step(id=backup, phase=Phase.VERIFY, kind=Kind.ROLLBACK, name=BACKUP), *verify]
    steps = [*precheck_steps(Mode.ROLLBACK, config, contracts), *backup_steps()]
    for segment in segments:
        for file in segment.files:
            name = DROP if file in work.drops else APPLY
            steps.append(step_of(file, name, Phase.APPLY, segment=segment.number))
        if segment.number == last:
            steps += [replace(step, segment=last) for step in checks]
        else:
            steps += between_steps(contracts, verify, segment.number, last)
        steps.append(promote_step(segment.number, last))
    return Plan(
        mode=Mode.ROLLBACK,
        steps=tuple(steps),
        segments=segments,
        seeds=(),
        bootstrap=(),
        past=tuple(past),
        contracts=contracts,
        digest=digest_of(segments, checks),
    )


def _cut(work: Work) -> Iterator[Segment]:
    """Segments in order; the first and the last are never ``none``: in them views come and go."""
    groups: list[tuple[str, list[SqlFile]]] = [("batch", list(work.drops))]
    place: tuple[str, int] | None = None
    for each in work.undoing:
        if each.rollback is None:
            continue
        header = each.rollback.transaction
        parted = place is not None and place[0] == each.place[0] and place[1] != each.place[1]
        if header == "batch" and groups[-1][0] == "batch" and not parted:
            groups[-1][1].append(each.rollback)
        else:
            groups.append((header, [each.rollback]))
        place = each.place
    if groups[-1][0] == "none":
        groups.append(("batch", []))
    groups[-1][1].extend(work.restored)
    kept = [group for group in groups if group[1] or group is groups[-1]]
    for number, (transaction, files) in enumerate(kept, start=1):
        yield Segment(number=number, files=tuple(files), transaction=transaction)


def files_by_step(plan: Plan) -> dict[str, SqlFile]:
    """The file that each step applies: a path may be dropped and applied in one run."""
    files: Iterable[SqlFile] = (file for segment in plan.segments for file in segment.files)
    steps = (step for step in plan.steps if step.phase is Phase.APPLY)
    return {step.id: file for step, file in zip(steps, files, strict=True)}
