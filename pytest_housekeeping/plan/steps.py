"""The single steps of a plan, and what they are called: each id is stable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.boundaries import FORBIDDEN
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.declarations.rules import BOUNDARY
from pytest_housekeeping.model import CodeFile, Kind, Phase, Step
from pytest_housekeeping.plan.proved_settings import proved_settings
from pytest_housekeeping.plan.segments import Segment
from pytest_housekeeping.sql.file import SqlFile

PROMOTE = "promote"
APPLY = "apply"
AGAIN = "again"
BACKUP_STEPS = ("snapshot", "proof")
MUTANTS = "mutants"
RESTORE = "restore"
REHEARSE = "rehearse"
RESULT = "result"
RUNNING = "running"
SEEDED = "seeded"
ACTIVITY = "activity"
BINDING = "binding"
IMPACT = "impact"
CHANGES = "changes"
STYLE = "style"
# Behind the folder, where it holds the files that these undo as well.
BACK = "::back"
SCHEMA, STATISTICS = "schema", "statistics"


def file_step(
    file: SqlFile, name: str, phase: Phase, *, kind: Kind | None = None, segment: int
) -> Step:
    """What is done with a file: a step of its own kind, unless another one is given."""
    return Step(
        id=f"{file.path}::{name}",
        phase=phase,
        kind=kind or file.kind,
        path=file.path,
        name=name,
        sha256=file.sha256,
        segment=segment,
    )


def again_steps(segments: Sequence[Segment]) -> Iterator[Step]:
    """View and policy files applied a second time, as they will be when their text changes."""
    for file in (file for segment in segments for file in segment.files):
        if file.kind in (Kind.VIEW, Kind.POLICY):
            last = segments[-1].number
            yield file_step(file, AGAIN, Phase.VERIFY, kind=Kind.REPEATABLE, segment=last)


def precheck_step(name: str) -> Step:
    """Something that has to be true before anything is applied."""
    return _step("precheck", name, Phase.PRECHECK, Kind.PRECHECK)


def backup_steps() -> Iterator[Step]:
    """The schema as it is, kept and shown to restore."""
    for name in BACKUP_STEPS:
        yield _step("backup", name, Phase.BACKUP, Kind.BACKUP)


def rehearse_step(file: SqlFile, segment: int, *, drops: bool = False) -> Step:
    """A file applied to the copy of the target; one of a rollback may drop what a file made."""
    name = f"{REHEARSE}_drop" if drops else REHEARSE
    return file_step(file, name, Phase.REHEARSE, kind=Kind.REHEARSAL, segment=segment)


def result_step(segment: int, last: int) -> Step:
    """What the batch of a segment has made of the copy: measured, and dumped and restored."""
    return _step(REHEARSE, RESULT, Phase.REHEARSE, Kind.REHEARSAL, segment, _count(segment, last))


def rehearsed_step(name: str, segment: int) -> Step:
    """What is asked behind the result of the whole batch, before production is begun with."""
    return _step(REHEARSE, name, Phase.REHEARSE, Kind.REHEARSAL, segment)


def restore_step(last: int) -> Step:
    """What staging has made is dumped and restored, behind the COMMIT, where pg_dump can see it."""
    return _step("verify", RESTORE, Phase.VERIFY, Kind.BACKUP, last + 1)


def style_steps(
    files: Iterable[tuple[str, str]],
    phase: Phase,
    *,
    undoes: Iterable[tuple[str, str]] = (),
    segment: int,
) -> Iterator[Step]:
    """One for each folder: the style of these files in it, given by path and sha256.

    What ``undoes`` others is apart where it lies beside them: production does not know of which
    ways back staging has looked at the style.
    """
    folders: dict[str, list[str]] = {}
    for path, sha256 in files:
        folders.setdefault(path.rpartition("/")[0], []).append(f"{path} {sha256}\n")
    ahead = frozenset(folders)
    for path, sha256 in undoes:
        folder = path.rpartition("/")[0]
        name = f"{folder}{BACK}" if folder in ahead else folder
        folders.setdefault(name, []).append(f"{path} {sha256}\n")
    for folder, lines in folders.items():
        yield Step(
            id=f"{STYLE}::{folder}",
            phase=phase,
            kind=Kind.LINT,
            name=folder,
            sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
            segment=segment,
        )


def promote_step(segment: int, last: int) -> Step:
    """The COMMIT of a segment."""
    return Step(
        id=f"{PROMOTE}{_count(segment, last)}",
        phase=Phase.PROMOTE,
        kind=Kind.PROMOTE,
        name=PROMOTE,
        segment=segment,
    )


def after_steps(segment: int, last: int, *, names: Iterable[str] = (SCHEMA,)) -> Iterator[Step]:
    """What is done behind the COMMIT of a segment, when no lock is held any more.

    It belongs to the next segment, whose COMMIT waits for it.
    """
    for name in names:
        yield _step("after", name, Phase.AFTER, Kind.AFTER, segment + 1, _count(segment, last))


def tripwire_step(name: str, segment: int) -> Step:
    """A defect planted, and seen."""
    return _step("tripwire", name, Phase.TRIPWIRE, Kind.TRIPWIRE, segment)


def steps_between(
    contracts: Contracts, verify: Sequence[Step], segment: int, last: int
) -> Iterator[Step]:
    """What is verified before a segment that is not the last is committed.

    The schema is unfinished then, so that only what must hold at every moment is judged: that
    nothing stands open.
    """
    holding = {rule.id for rule in contracts.rules if rule.family != BOUNDARY and not rule.proof}
    if contracts.boundaries is not None:
        holding |= {
            contract.name
            for contract in contracts.boundaries.contracts
            if contract.type == FORBIDDEN
        }
    for step in verify:
        if step.kind in (Kind.RLS, Kind.BOUNDARY) and step.name in holding:
            yield replace(step, id=f"{step.id}[{segment}/{last}]", segment=segment)


def digest_of(
    config: Config,
    segments: Iterable[Segment],
    verify: Iterable[Step],
    code: Iterable[CodeFile],
) -> str:
    """What staging attests and production will run: the batch, its checks, the code they are, and
    the settings that count for them."""
    lines = [
        f"{segment.number} {file.kind} {file.path} {file.sha256}"
        for segment in segments
        for file in segment.files
        if file.kind is not Kind.SEED  # of staging, and of some targets: no part of what is proved
    ]
    lines += [f"{step.kind} {step.id} {step.sha256}" for step in verify]
    # What is proved holds for every database; which it is, each run asks for itself.
    lines += [f"code {file.path} {file.sha256}" for file in code if file.path not in config.pins]
    lines += proved_settings(config)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _step(
    group: str, name: str, phase: Phase, kind: Kind, segment: int = 0, count: str = ""
) -> Step:
    return Step(id=f"{group}::{name}{count}", phase=phase, kind=kind, name=name, segment=segment)


def _count(segment: int, last: int) -> str:
    """Behind the name of what stands in each segment, where there are several."""
    return f"[{segment}/{last}]" if last > 1 else ""
