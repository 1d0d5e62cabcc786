"""What a rollback will run, in order: what stands in the way goes, rollback files, older texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.model import Kind, Mode, Phase, Step
from pytest_housekeeping.plan.code_files import code_files, settings_files
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.pending import AppliedFile
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plan.segments import Segment, cut_into_segments
from pytest_housekeeping.plan.step_order import needs_rows, prechecks
from pytest_housekeeping.plan.steps import (
    APPLY,
    SCHEMA,
    STATISTICS,
    after_steps,
    backup_steps,
    digest_of,
    file_step,
    precheck_step,
    promote_step,
    rehearse_step,
    rehearsed_step,
    result_step,
    steps_between,
)
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.project_files import ProjectFiles

BACKUP = "backup"
DROP = "drop"


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoneMigration:
    """A migration that is to be undone, and its rollback file, or where one would be; ``place`` is
    the promotion that applied it and the segment in which it did."""

    path: str
    rollback: SqlFile | None
    place: tuple[str, int]
    rollback_path: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackWork:
    """What is to be done: ``drops`` take down what the views and policies made, ``undone`` goes
    from the newest migration to the oldest, ``restored`` are older texts in their order."""

    drops: tuple[SqlFile, ...]
    undone: tuple[UndoneMigration, ...]
    restored: tuple[SqlFile, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The migrations that have no rollback file."""
        return tuple(each.path for each in self.undone if each.rollback is None)

    @property
    def missing_files(self) -> tuple[tuple[str, str], ...]:
        """The same, each with the path that its rollback file would have."""
        return tuple((each.path, each.rollback_path) for each in self.undone if not each.rollback)

    @property
    def rollbacks(self) -> tuple[SqlFile, ...]:
        return tuple(each.rollback for each in self.undone if each.rollback is not None)


def build_rollback(
    config: Config,
    work: RollbackWork,
    *,
    sources: ProjectFiles,
    inifile: str = "",
    past: Sequence[AppliedFile],
    contracts: Contracts,
    verify: Sequence[Step],
    in_place: bool = False,
) -> Plan:
    """The plan of a rollback. ``contracts`` and ``verify`` are those of the schema gone back to.

    A promotion that was cut into segments is undone in as many; several promotions that were not
    are undone in one transaction. With ``in_place`` nothing is rehearsed on a copy.
    """
    segments = cut_into_segments(
        work.rollbacks, first=work.drops, last=work.restored, apart=frozenset(_parted(work.undone))
    )
    backup = f"rollback::{BACKUP}"
    code = code_files(config, sources, checks=False)
    checks = [Step(id=backup, phase=Phase.VERIFY, kind=Kind.ROLLBACK, name=BACKUP), *verify]
    steps = [
        *(precheck_step(name) for name in prechecks(Mode.ROLLBACK, config, sources, contracts)),
        *backup_steps(),
    ]
    ground = _Ground(work=work, segments=segments, contracts=contracts, checks=checks)
    steps += ground.in_place() if in_place else [*ground.rehearsal(), *ground.what_rows_decide()]
    return Plan(
        mode=Mode.ROLLBACK,
        steps=tuple(steps),
        segments=segments,
        seeds=(),
        bootstrap=(),
        past=tuple(past),
        contracts=contracts,
        sources=sources,
        digest=digest_of(config, segments, checks, code),
        code=code,
        settings=settings_files(sources, inifile),
    )


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What the steps of a rollback are laid out from."""

    work: RollbackWork
    segments: tuple[Segment, ...]
    contracts: Contracts
    checks: Sequence[Step]

    def in_place(self) -> Iterator[Step]:
        """Everything in the target's own transaction."""
        for segment in self.segments:
            yield from self._files(segment)
            yield from self._checks(segment)
            yield from self._commit(segment)

    def rehearsal(self) -> Iterator[Step]:
        """The whole rollback on a copy of the target, and there all that the schema decides."""
        for segment in self.segments:
            for file in segment.files:
                yield rehearse_step(file, segment.number, drops=file in self.work.drops)
            for step in self._checks(segment):
                if not needs_rows(step):
                    yield replace(step, phase=Phase.REHEARSE)
            yield result_step(segment.number, self._last)
        for name in rules_of(Mode.ROLLBACK).rehearsed:
            yield rehearsed_step(name, self._last)

    def what_rows_decide(self) -> Iterator[Step]:
        """The rest, in the target's own transaction."""
        for segment in self.segments:
            yield from self._files(segment)
            yield from (step for step in self._checks(segment) if needs_rows(step))
            yield from self._commit(segment)

    def _commit(self, segment: Segment) -> Iterator[Step]:
        yield promote_step(segment.number, self._last)
        yield from after_steps(segment.number, self._last, names=(SCHEMA, STATISTICS))

    @property
    def _last(self) -> int:
        return self.segments[-1].number

    def _files(self, segment: Segment) -> Iterator[Step]:
        for file in segment.files:
            name = DROP if file in self.work.drops else APPLY
            yield file_step(file, name, Phase.APPLY, segment=segment.number)

    def _checks(self, segment: Segment) -> Iterator[Step]:
        if segment.number == self._last:
            yield from (replace(step, segment=self._last) for step in self.checks)
        else:
            yield from steps_between(self.contracts, self.checks, segment.number, self._last)


def _parted(undone: Sequence[UndoneMigration]) -> Iterator[str]:
    """The rollback files that begin a segment: the one before belongs to another segment of the
    same promotion."""
    place: tuple[str, int] | None = None
    for each in undone:
        if each.rollback is None:
            continue
        if place is not None and place[0] == each.place[0] and place[1] != each.place[1]:
            yield each.rollback.path
        place = each.place


def files_by_step(plan: Plan) -> dict[str, SqlFile]:
    """The file that each step applies: a path may be dropped and applied in one run."""
    files = [file for segment in plan.segments for file in segment.files]
    steps = [step for step in plan.steps if step.phase is Phase.APPLY]
    copied = [step for step in plan.steps if step.kind is Kind.REHEARSAL and step.path]
    of_copy = zip(copied, files, strict=True) if copied else ()
    return {step.id: file for step, file in [*zip(steps, files, strict=True), *of_copy]}
