"""What will run, in order, computed from the files on disk and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.contracts import Contracts, load_contracts
from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.errors import HousekeepingError, MisuseError
from pytest_housekeeping.model import CodeFile, Kind, Mode, Phase, Step
from pytest_housekeeping.plan.baseline import Baseline, baseline_files
from pytest_housekeeping.plan.check_steps import running_steps, verify_steps
from pytest_housekeeping.plan.code_files import code_files, settings_files
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.plan.pending import (
    AppliedFile,
    applied_last,
    is_pending,
    pending_files,
)
from pytest_housekeeping.plan.rollback_files import (
    NO_ROLLBACKS,
    Proved,
    Rollbacks,
    misfits,
    rollbacks_of,
)
from pytest_housekeeping.plan.segments import Segment, cut_into_segments
from pytest_housekeeping.plan.step_order import Parts, lay_out
from pytest_housekeeping.plan.steps import BACK, digest_of
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.sql.file import FOLDERS, SqlFile
from pytest_housekeeping.sql.folder import ProjectSql, bootstrap_paths, read_all, sql_paths
from pytest_housekeeping.sql.path_names import stands_alone, whole_of
from pytest_housekeeping.sql.project_files import ProjectFiles


@dataclass(frozen=True, kw_only=True)
class ToolsPast:
    """What another tool has applied, where it goes on applying: by its ``table``, whose ``owner``
    it runs as; ``faults`` are rows that are wrong, or that are of no file here."""

    tool: str
    table: str
    owner: str
    files: tuple[AppliedFile, ...]
    faults: tuple[HousekeepingError, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole promotion: every step that is required, in the order in which they run.

    ``sources`` holds the very bytes that the digests are of: what runs is taken from there.
    ``code`` is the Python that runs as far as it is known beforehand; ``settings`` steer pytest.
    ``order`` holds all migrations in order, with their versions; ``ways_back`` are the paths of
    all that undoes one; ``passed_over`` are files that their tool does not read. ``theirs`` is
    what another tool, which goes on applying them, has applied. ``verify`` are all checks, also
    those that a mode does not ask, ``promotion`` all steps of the promotion that this is a plan of,
    or that it is. ``seeds`` are those of a throwaway database: a target that gets
    any has them in its last segment, where they are not applied with this text.
    """

    mode: Mode
    steps: tuple[Step, ...]
    segments: tuple[Segment, ...]
    seeds: tuple[SqlFile, ...]
    bootstrap: tuple[str, ...]
    past: tuple[AppliedFile, ...]
    contracts: Contracts
    digest: str
    sources: ProjectFiles
    code: tuple[CodeFile, ...] = ()
    settings: tuple[CodeFile, ...] = ()
    unapplied: tuple[str, ...] = ()
    rollbacks: Rollbacks = NO_ROLLBACKS
    repeatables: tuple[SqlFile, ...] = ()
    order: Mapping[str, str] = field(default_factory=dict)
    ways_back: frozenset[str] = frozenset()
    passed_over: Mapping[str, str] = field(default_factory=dict)
    theirs: ToolsPast | None = None
    verify: tuple[Step, ...] = ()
    promotion: tuple[Step, ...] = ()
    checks_of: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[SqlFile, ...]:
        applied = tuple(file for segment in self.segments for file in segment.files)
        return applied + self.seeds + self.rollbacks.files

    @property
    def written(self) -> tuple[str, ...]:
        """The paths of those that stand alone, each once: of a part, that of its file."""
        paths = (whole_of(file.path) for file in self.files if stands_alone(file.path))
        return tuple(dict.fromkeys(paths))

    def styled(self, name: str) -> list[str]:
        """The files whose style a step of this name is about."""
        folder, undoes = name.removesuffix(BACK), name.endswith(BACK)
        here = [path for path in self.written if path.rpartition("/")[0] == folder]
        back = {file.path for file in self.rollbacks.files}
        ahead = [path for path in here if path not in back]
        return ahead if ahead and not undoes else [path for path in here if path in back]

    @cached_property
    def rehearses(self) -> bool:
        """Whether what the schema decides is proved on a copy of the target."""
        return any(step.phase is Phase.REHEARSE for step in self.steps)


def build(
    config: Config,
    mode: Mode,
    *,
    tests: TestNames,
    sources: ProjectFiles,
    inifile: str = "",
    rules: Iterable[Rule] = (),
    past: Sequence[AppliedFile] = (),
    baseline: Baseline | None = None,
    mutate: bool = False,
    in_place: bool = False,
    has_clone: bool = False,
    proved: Proved = lambda _: (),
) -> Plan:
    """Read every file once and lay the steps out; with ``mutate``, or where the settings ask for a
    score, the mutants as well. With ``in_place`` nothing is rehearsed on a copy. ``proved`` tells
    which rollback files of what is applied need no proof again; ``inifile`` steers pytest.

    Raises MisuseError, with all that is wrong at once, when no order can be made: a name that
    does not fit, two migrations with one number, an empty plan, contracts that cannot be read.
    What is wrong inside a single SQL file is kept in its ``problems`` and fails its precheck.
    """
    throwaway = rules_of(mode).throwaway
    found = _files(config, sources, mode, past)
    files = found.files
    contracts = load_contracts(config, sources, rules)
    pending = pending_files(files, past)
    asked = config.target.seeds and not throwaway and baseline is None
    seeds = _pending_seeds(files, past) if asked else []
    segments = _segments(mode, pending, past, baseline, seeds)
    checks = verify_steps(config, sources, contracts, tests)
    # What comes behind a baseline is not there yet, and nothing of it is asked for.
    leaves = baseline is not None and len(segments[0].files) < len(pending)
    parts = Parts(
        mode=mode,
        config=config,
        sources=sources,
        contracts=contracts,
        segments=segments,
        seeds=tuple(files[Kind.SEED]) if throwaway else (),
        verify=() if leaves else checks,
        rollbacks=_rollbacks(config, found, pending, past, proved) if throwaway else NO_ROLLBACKS,
        app_tests=tuple(running_steps(config, sources, contracts, tests)) if throwaway else (),
        has_mutants=mutate or config.mutation_score > 0,
        records_only=baseline is not None,
        in_place=in_place,
        has_clone=has_clone,
    )
    return _plan_of(parts, found, [*pending, *seeds], past, inifile)


def _plan_of(
    parts: Parts,
    found: ProjectSql,
    pending: Sequence[SqlFile],
    past: Sequence[AppliedFile],
    inifile: str,
) -> Plan:
    """The plan that these parts make; no file is read any more behind it."""
    files = found.files
    code = code_files(parts.config, parts.sources)
    steps = tuple(lay_out(parts))
    plans = rules_of(parts.mode).plans
    plan = Plan(
        mode=parts.mode,
        steps=steps,
        promotion=tuple(lay_out(replace(parts, mode=Mode.PROD))) if plans else steps,
        segments=parts.segments,
        seeds=parts.seeds,
        bootstrap=_bootstrap(parts.config, parts.sources),
        past=tuple(past),
        contracts=parts.contracts,
        sources=parts.sources,
        digest=digest_of(parts.config, parts.segments, parts.verify, code),
        code=code,
        settings=settings_files(parts.sources, inifile),
        unapplied=tuple(file.path for file in pending),
        rollbacks=parts.rollbacks,
        repeatables=(*files[Kind.VIEW], *files[Kind.POLICY]),
        order={file.path: file.version for file in files[Kind.MIGRATION]},
        ways_back=frozenset(sql_paths(parts.config, parts.sources, Kind.ROLLBACK)),
        passed_over=found.passed_over,
        verify=parts.verify,
    )
    parts.sources.seal()
    return plan


def _pending_seeds(
    files: Mapping[Kind, list[SqlFile]], past: Sequence[AppliedFile]
) -> list[SqlFile]:
    applied = applied_last(past)
    return [file for file in files[Kind.SEED] if is_pending(file, applied)]


def _bootstrap(config: Config, sources: ProjectFiles) -> tuple[str, ...]:
    """Their paths; the bytes are held from now on. Raises MisuseError for one without any."""
    paths = bootstrap_paths(config, sources)
    for path in paths:
        try:
            sources.read(path)
        except OSError as error:
            raise MisuseError(
                f"{path} cannot be read: {error.strerror}",
                why="it makes what the real server already has",
                fix="make it readable, or remove it",
            ) from None
    return paths


def _files(
    config: Config, sources: ProjectFiles, mode: Mode, past: Sequence[AppliedFile]
) -> ProjectSql:
    """Every file of the project, by kind. Raises MisuseError for what has no place in the order."""
    # Only staging runs rollback files; elsewhere it is enough that each has its migration.
    throwaway = rules_of(mode).throwaway
    kinds = [kind for kind in FOLDERS if throwaway or kind is not Kind.ROLLBACK]
    # Of a path that was applied several times, the last text is the one that stands.
    found = read_all(config, sources, kinds, applied=applied_last(past).items())
    rollbacks = sql_paths(config, sources, Kind.ROLLBACK)
    errors = [*found.errors, *misfits(found.files[Kind.MIGRATION], rollbacks)]
    if errors:
        raise MisuseError("\n".join(str(error) for error in errors))
    return found


def _segments(
    mode: Mode,
    pending: Sequence[SqlFile],
    past: Sequence[AppliedFile],
    baseline: Baseline | None,
    seeds: Sequence[SqlFile],
) -> tuple[Segment, ...]:
    if baseline is not None:
        # Nothing of it runs, it is only recorded: no file needs a transaction of its own.
        recorded = baseline_files(pending, baseline, goes_on=bool(past))
        return (Segment(number=1, files=tuple(recorded)),)
    # A mode that watches applies nothing.
    waiting = [] if rules_of(mode).watches else pending
    there = applied_last(past)
    return cut_into_segments(
        (each for file in waiting for each in file.steps if file.every or is_pending(each, there)),
        last=() if rules_of(mode).watches else seeds,
    )


def _needless(
    files: Mapping[Kind, list[SqlFile]], past: Sequence[AppliedFile], proved: Proved
) -> Proved:
    """Those that were proved, and those of files that a baseline has recorded."""
    recorded = {each.path for each in past if each.recorded}
    theirs = [file.rollback for file in files[Kind.MIGRATION] if file.path in recorded]
    return lambda asked: {*proved(asked), *theirs}


def _rollbacks(
    config: Config,
    found: ProjectSql,
    pending: Sequence[SqlFile],
    past: Sequence[AppliedFile],
    proved: Proved,
) -> Rollbacks:
    return rollbacks_of(
        found.files[Kind.MIGRATION],
        found.files[Kind.ROLLBACK],
        pending,
        required=config.require_rollback,
        proved=_needless(found.files, past, proved),
    )
