"""What will run, in order, computed from the files on disk and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts, load_contracts
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Kind, Mode, Phase, Step
from pytest_housekeeping.plan.check_steps import check_steps, needs_canaries, running_steps
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.rollback_files import (
    NO_ROLLBACKS,
    Proved,
    Rollbacks,
    misfits,
    rollbacks_of,
)
from pytest_housekeeping.plan.steps import (
    BACKUP,
    MUTANTS,
    Segment,
    digest_of,
    lay_out,
    tripwire_step,
)
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.sql.file import FOLDERS, SqlFile
from pytest_housekeeping.sql.folder import read_all, sql_paths


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedFile:
    """A file that the target has applied already, and the commit that holds its text."""

    path: str
    sha256: str
    kind: Kind
    commit: str
    segment: int = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole promotion: every step that is required, in the order in which they run."""

    mode: Mode
    steps: tuple[Step, ...]
    segments: tuple[Segment, ...]
    seeds: tuple[SqlFile, ...]
    bootstrap: tuple[str, ...]
    past: tuple[AppliedFile, ...]
    contracts: Contracts
    digest: str
    unapplied: tuple[str, ...] = ()
    canaries: bool = True
    rollbacks: Rollbacks = NO_ROLLBACKS
    repeatables: tuple[SqlFile, ...] = ()

    @property
    def files(self) -> tuple[SqlFile, ...]:
        applied = tuple(file for segment in self.segments for file in segment.files)
        return applied + self.seeds + self.rollbacks.files

    def promote_step(self, segment: int) -> Step:
        return next(
            step for step in self.steps if step.kind is Kind.PROMOTE and step.segment == segment
        )


def build(
    config: Config,
    mode: Mode,
    *,
    tests: TestNames,
    rules: Iterable[Rule] = (),
    past: Sequence[AppliedFile] = (),
    baseline: int | None = None,
    canaries: bool = True,
    mutate: bool = False,
    proved: Proved = lambda _: (),
) -> Plan:
    """Read every file once and lay the steps out. Without ``canaries``, only what needs no row;
    with ``mutate``, or where the settings ask for a score, the mutants as well. ``proved`` tells
    which rollback files of what is applied need no proof again.

    Raises MisuseError, with all that is wrong at once, when no order can be made: a name that
    does not fit, two migrations with one number, an empty plan, contracts that cannot be read.
    What is wrong inside a single SQL file is kept in its ``problems`` and fails its precheck.
    """
    # Only staging runs rollback files; elsewhere it is enough that each has its migration.
    mode_rules = rules_of(mode)
    kinds = [kind for kind in FOLDERS if mode_rules.throwaway or kind is not Kind.ROLLBACK]
    files, errors = read_all(config, kinds)
    errors += misfits(files[Kind.MIGRATION], sql_paths(config, FOLDERS[Kind.ROLLBACK]))
    if errors:
        raise MisuseError("\n".join(str(error) for error in errors))
    contracts = load_contracts(config, rules)
    pending = [file for kind in _ORDER for file in files[kind] if _is_pending(file, past)]
    # To verify is to look at what is there: nothing of it is applied.
    segments = tuple(_cut([] if mode_rules.watches else pending))
    if baseline is not None:
        # Nothing of it runs, it is only recorded: no file needs a transaction of its own.
        there = [file for file in pending if file.number is None or file.number <= baseline]
        _refuse_empty_baseline(there, baseline)
        segments = (Segment(number=1, files=tuple(there)),)
    seeds = tuple(files[Kind.SEED]) if mode_rules.throwaway else ()
    verify = check_steps(config, contracts, tests)
    if not canaries:
        verify = [step for step in verify if not needs_canaries(contracts, step)]
    rollbacks = NO_ROLLBACKS
    if mode_rules.throwaway:
        rollbacks = rollbacks_of(
            files[Kind.MIGRATION],
            files[Kind.ROLLBACK],
            pending,
            required=config.require_rollback,
            proved=proved,
        )
    steps = tuple(lay_out(mode, config, segments, seeds, verify, contracts, rollbacks))
    if mode_rules.throwaway:
        last = segments[-1].number
        if mutate or config.mutation_score:
            steps = (*steps[:-1], tripwire_step(MUTANTS, last), steps[-1])
        # Behind the COMMIT, where an application can see it; no promote waits for these.
        running = running_steps(config, contracts, tests)
        steps += tuple(replace(step, segment=last + 1) for step in running)
    if mode_rules.watches:
        gone = set() if past else {"precheck::history"}
        steps = tuple(s for s in steps if s.kind is not Kind.PROMOTE and s.id not in gone)
    if baseline is not None:
        steps = tuple(_recorded(steps))
    if not verify:
        raise MisuseError(
            f"{config.checks}/ declares nothing to verify",
            why="a promotion that proves nothing would commit anything",
            fix=f"declare at least {config.checks}/objects.toml",
        )
    return Plan(
        mode=mode,
        steps=steps,
        segments=segments,
        seeds=seeds,
        bootstrap=_bootstrap(config),
        past=tuple(past),
        contracts=contracts,
        digest=digest_of(segments, verify),
        unapplied=tuple(file.path for file in pending),
        canaries=canaries,
        rollbacks=rollbacks,
        repeatables=(*files[Kind.VIEW], *files[Kind.POLICY]),
    )


_ORDER = (Kind.MIGRATION, Kind.VIEW, Kind.POLICY)


def _bootstrap(config: Config) -> tuple[str, ...]:
    return tuple(sql_paths(config, "bootstrap"))


def _is_pending(file: SqlFile, past: Sequence[AppliedFile]) -> bool:
    """Versioned: not applied yet. Repeatable: its text is not the one applied last."""
    digest = next((entry.sha256 for entry in reversed(past) if entry.path == file.path), None)
    if file.kind is Kind.MIGRATION:
        return digest is None
    return digest != file.sha256


def _refuse_empty_baseline(there: Sequence[SqlFile], baseline: int) -> None:
    if not any(file.number == baseline for file in there):
        raise MisuseError(
            f"--hk-baseline={baseline:04}: there is no such migration to record",
            why="a baseline says which files made what is there",
            fix="give the number of the last migration that production has",
        )


def _recorded(steps: Iterable[Step]) -> Iterable[Step]:
    """The steps of a baseline: files are recorded, after they were shown to be there."""
    for step in steps:
        if step.phase is Phase.BACKUP and step.name == BACKUP[0]:
            name = "baseline"
            yield Step(id=f"precheck::{name}", phase=Phase.PRECHECK, kind=Kind.PRECHECK, name=name)
        yield step


def _cut(pending: Sequence[SqlFile]) -> Iterable[Segment]:
    """Segments in order. The last one is never ``none``: in it everything is verified."""
    groups: list[tuple[str, list[SqlFile]]] = []
    for file in pending:
        if file.transaction == "batch" and groups and groups[-1][0] == "batch":
            groups[-1][1].append(file)
        else:
            groups.append((file.transaction, [file]))
    if not groups or groups[-1][0] == "none":
        groups.append(("batch", []))
    for number, (transaction, members) in enumerate(groups, start=1):
        yield Segment(number=number, files=tuple(members), transaction=transaction)
