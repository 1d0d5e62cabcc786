"""The steps of a plan, laid out in the order in which they run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.boundaries import FORBIDDEN
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.declarations.rules import BOUNDARY
from pytest_housekeeping.model import Kind, Mode, Phase, Step
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.rollback_files import Rollbacks
from pytest_housekeeping.sql.file import SqlFile, step_of
from pytest_housekeeping.sql.folder import sql_paths

PROMOTE = "promote"
APPLY = "apply"
BACKUP = ("snapshot", "proof")
MUTANTS = "mutants"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Files that share one transaction. ``transaction=none`` files stand alone and in none."""

    number: int
    files: tuple[SqlFile, ...]
    transaction: str = "batch"


def lay_out(
    mode: Mode,
    config: Config,
    segments: tuple[Segment, ...],
    seeds: tuple[SqlFile, ...],
    verify: Sequence[Step],
    contracts: Contracts,
    rollbacks: Rollbacks,
) -> Iterable[Step]:
    """All steps of a promotion, or of a look at what one has left."""
    yield from precheck_steps(mode, config, contracts)
    files = [file for segment in segments for file in segment.files]
    lint = []
    if config.lint:
        lint = list(_lint_steps(mode, [*files, *seeds, *rollbacks.files]))
    last = segments[-1].number
    rules = rules_of(mode)
    if rules.backs_up:
        # What needs no uncommitted schema is done before anybody has to wait for a lock.
        yield from lint
        yield from backup_steps()
    for segment in segments:
        for file in segment.files:
            yield step_of(file, APPLY, Phase.APPLY, segment=segment.number)
        if segment.number == last:
            yield from (step_of(file, APPLY, Phase.SEED, segment=last) for file in seeds)
            yield from (replace(step, segment=last) for step in verify)
            if rules.throwaway:
                yield from rollbacks.steps(last)
                yield from (replace(step, segment=last) for step in lint)
                yield from _tripwires(contracts, last)
        else:
            yield from between_steps(contracts, verify, segment.number, last)
        yield promote_step(segment.number, last)


def backup_steps() -> Iterable[Step]:
    """The schema as it is, kept and shown to restore."""
    for name in BACKUP:
        yield Step(id=f"backup::{name}", phase=Phase.BACKUP, kind=Kind.BACKUP, name=name)


def promote_step(segment: int, last: int) -> Step:
    """The COMMIT of a segment."""
    count = f"[{segment}/{last}]" if last > 1 else ""
    return Step(
        id=f"{PROMOTE}{count}",
        phase=Phase.PROMOTE,
        kind=Kind.PROMOTE,
        name=PROMOTE,
        segment=segment,
    )


def precheck_steps(mode: Mode, config: Config, contracts: Contracts) -> Iterable[Step]:
    """What has to be true before anything is applied."""
    for name in _prechecks(mode, config, contracts):
        yield Step(id=f"precheck::{name}", phase=Phase.PRECHECK, kind=Kind.PRECHECK, name=name)


def _prechecks(mode: Mode, config: Config, contracts: Contracts) -> Iterable[str]:
    """What there is nothing of has no step: nothing passes vacuously."""
    for name in rules_of(mode).prechecks:
        if name == "bootstrap" and not sql_paths(config, "bootstrap"):
            continue
        if name == "roles" and not contracts.roles:
            continue
        if name == "code" and not contracts.code_contracts:
            continue
        yield name


def between_steps(
    contracts: Contracts, verify: Sequence[Step], segment: int, last: int
) -> Iterable[Step]:
    """Between segments the schema is unfinished: what must hold is that nothing stands open."""
    holding = {rule.id for rule in contracts.rules if rule.family != BOUNDARY and not rule.proof}
    if contracts.boundaries is not None:
        holding |= {
            contract.name
            for contract in contracts.boundaries.contracts
            if contract.type == "forbidden"
        }
    for step in verify:
        if step.kind in (Kind.RLS, Kind.BOUNDARY) and step.name in holding:
            yield replace(step, id=f"{step.id}[{segment}/{last}]", segment=segment)


def _lint_steps(mode: Mode, files: Iterable[SqlFile]) -> Iterable[Step]:
    phase = Phase.VERIFY if rules_of(mode).throwaway else Phase.PRECHECK
    for file in files:
        yield step_of(file, "lint", phase, kind=Kind.LINT)


def _tripwires(contracts: Contracts, segment: int) -> Iterable[Step]:
    code = [name for name, each in contracts.code_contracts.items() if each.type == FORBIDDEN]
    for name in (*(rule.id for rule in contracts.rules_in_force), *code):
        yield tripwire_step(name, segment)


def tripwire_step(name: str, segment: int) -> Step:
    """A defect planted, and seen."""
    return Step(
        id=f"tripwire::{name}",
        phase=Phase.TRIPWIRE,
        kind=Kind.TRIPWIRE,
        name=name,
        segment=segment,
    )


def digest_of(segments: Iterable[Segment], verify: Iterable[Step]) -> str:
    """What staging attests and production will run: the batch and its checks, in order."""
    lines = [
        f"{segment.number} {file.kind} {file.path} {file.sha256}"
        for segment in segments
        for file in segment.files
    ]
    lines += [f"{step.kind} {step.id} {step.sha256}" for step in verify]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
