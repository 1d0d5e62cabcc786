"""The steps of a promotion, or of a look at what one has left, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.boundaries import FORBIDDEN
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.model import CLONE, Kind, Mode, Phase, Step
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.rollback_files import Rollbacks
from pytest_housekeeping.plan.segments import Segment
from pytest_housekeeping.plan.steps import (
    ACTIVITY,
    APPLY,
    MUTANTS,
    RUNNING,
    SCHEMA,
    SEEDED,
    STATISTICS,
    after_steps,
    again_steps,
    backup_steps,
    file_step,
    precheck_step,
    promote_step,
    rehearse_step,
    rehearsed_step,
    restore_step,
    result_step,
    steps_between,
    style_steps,
    tripwire_step,
)
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import bootstrap_paths
from pytest_housekeeping.sql.path_names import stands_alone, whole_of
from pytest_housekeeping.sql.project_files import ProjectFiles


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the steps are laid out from.

    ``verify`` are the steps of the checks, ``app_tests`` those of the applications' own tests.
    ``records_only`` is a baseline: its files are recorded and not run. With ``in_place`` everything
    is proved in the target's own transaction, and nothing on a copy. ``has_clone`` tells whether
    there is one with the target's rows.
    """

    mode: Mode
    config: Config
    sources: ProjectFiles
    contracts: Contracts
    segments: tuple[Segment, ...]
    seeds: tuple[SqlFile, ...]
    verify: tuple[Step, ...]
    rollbacks: Rollbacks
    app_tests: tuple[Step, ...]
    has_mutants: bool
    records_only: bool
    in_place: bool = False
    has_clone: bool = False

    @property
    def rehearses(self) -> bool:
        """Whether what the schema decides is proved on a copy of the target."""
        return rules_of(self.mode).rehearses and not self.in_place

    @property
    def last(self) -> int:
        """The number of the last segment, in which everything is verified."""
        return self.segments[-1].number


def lay_out(parts: Parts) -> Iterator[Step]:
    """All steps of a promotion, or of a look at what one has left."""
    rules = rules_of(parts.mode)
    for name in prechecks(parts.mode, parts.config, parts.sources, parts.contracts):
        yield precheck_step(name)
    if parts.in_place and ACTIVITY in rules.rehearsed:
        yield precheck_step(ACTIVITY)
    if rules.backs_up:
        # What needs no uncommitted schema is done before anybody has to wait for a lock.
        if not rules.plans:
            yield from _style_steps(parts, Phase.PRECHECK)
        if parts.records_only:
            yield precheck_step("baseline")
        yield from backup_steps()
    if parts.rehearses:
        yield from _rehearsal(parts)
    if rules.plans:
        return
    yield from _promotion(parts)
    # Behind the COMMIT, where another connection can see it; no promote waits for these.
    yield from (replace(step, segment=parts.last + 1) for step in parts.app_tests)
    if rules.throwaway:
        # It goes on while they run, and is waited for last.
        yield restore_step(parts.last)


def _promotion(parts: Parts) -> Iterator[Step]:
    """Segment by segment: its files, what has to hold before its COMMIT, and that."""
    for segment in parts.segments:
        for file in segment.files:
            phase = Phase.SEED if file.kind is Kind.SEED else Phase.APPLY
            yield file_step(file, APPLY, phase, segment=segment.number)
        if segment.number == parts.last:
            yield from _last_steps(parts)
        elif not parts.rehearses:
            yield from steps_between(parts.contracts, parts.verify, segment.number, parts.last)
        if rules_of(parts.mode).promotes:
            yield promote_step(segment.number, parts.last)
            renews = rules_of(parts.mode).backs_up and segment.files and not parts.records_only
            names = (SCHEMA, STATISTICS) if renews else (SCHEMA,)
            yield from after_steps(segment.number, parts.last, names=names)


def prechecks(
    mode: Mode, config: Config, sources: ProjectFiles, contracts: Contracts
) -> Iterator[str]:
    """The prechecks of a mode. What there is nothing of has none: nothing passes vacuously."""
    needless = {
        "bootstrap": not (config.platform or bootstrap_paths(config, sources)),
        "roles": not contracts.roles,
        "stubs": not config.stubs,
        "window": not config.window,
        "after": not config.target.after,
        "code": not contracts.code_contracts,
    }
    yield from (name for name in rules_of(mode).prechecks if not needless.get(name))


def _rehearsal(parts: Parts) -> Iterator[Step]:
    """The whole batch on a copy of the target, and there every check that the schema decides."""
    for segment in parts.segments:
        number = segment.number
        for file in segment.files:
            yield rehearse_step(file, number)
        if number == parts.last:
            judged = [replace(step, segment=number) for step in parts.verify]
        else:
            judged = list(steps_between(parts.contracts, parts.verify, number, parts.last))
        yield from (replace(step, phase=Phase.REHEARSE) for step in judged if not needs_rows(step))
        if not rules_of(parts.mode).watches:
            yield result_step(number, parts.last)
    for name in rules_of(parts.mode).rehearsed:
        if _is_asked(name, parts):
            yield rehearsed_step(name, parts.last)


def _is_asked(name: str, parts: Parts) -> bool:
    """Whether there is anything to ask: files that run, for `RUNNING` declared code of an
    application that works on the schema, for `CLONE` a clone."""
    needed = {
        SEEDED: True,
        RUNNING: bool(parts.contracts.code_contracts),
        CLONE: parts.has_clone,
    }
    if name not in needed:
        return True
    changes = any(segment.files for segment in parts.segments) and not parts.records_only
    return changes and needed[name]


def needs_rows(step: Step) -> bool:
    """Whether a check is decided by the rows of the target, and not by its schema alone."""
    return step.kind in (Kind.QUERY, Kind.TEST)


def _last_steps(parts: Parts) -> Iterator[Step]:
    """What is done with the whole schema before it is committed."""
    last = parts.last
    for file in parts.seeds:
        yield file_step(file, APPLY, Phase.SEED, segment=last)
    for step in parts.verify:
        if needs_rows(step) or not parts.rehearses:
            yield replace(step, segment=last)
    if not rules_of(parts.mode).throwaway:
        return
    yield from again_steps(parts.segments)
    yield from parts.rollbacks.steps(last)
    yield from _style_steps(parts, Phase.VERIFY, segment=last)
    for name in tripwires(parts.contracts):
        yield tripwire_step(name, last)
    if parts.has_mutants:
        yield tripwire_step(MUTANTS, last)


def _style_steps(parts: Parts, phase: Phase, *, segment: int = 0) -> Iterator[Step]:
    # What is only recorded is history, and its style nobody can change any more.
    if parts.config.lint and not parts.records_only:
        files = [file for segment in parts.segments for file in segment.files]
        texts = _texts((*files, *parts.seeds))
        undoes = _texts(parts.rollbacks.files)
        yield from style_steps(texts, phase, undoes=undoes, segment=segment)


def _texts(files: Iterable[SqlFile]) -> dict[tuple[str, str], None]:
    """Those that stand alone, each once: of a part, its file."""
    whole = (file for file in files if stands_alone(file.path))
    return dict.fromkeys((whole_of(file.path), file.sha256) for file in whole)


def tripwires(contracts: Contracts) -> Iterator[str]:
    """The rules that must be seen firing: those in force, and the contracts on code."""
    for rule in contracts.rules_in_force:
        yield rule.id
    for name, contract in contracts.code_contracts.items():
        if contract.type == FORBIDDEN:
            yield name
