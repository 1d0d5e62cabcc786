"""What production has applied already, as the committed evidence of its promotions says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from errno import ENOENT
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import EvidenceError, ProofFailed
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.run_outcomes import CHANGED
from pytest_housekeeping.model import Kind, Mode, Outcome, RunOutcome
from pytest_housekeeping.plan.pending import FILES, AppliedFile
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.promotion.repository.intact_audits import intact_audits
from pytest_housekeeping.sql.layouts.layout import Reading
from pytest_housekeeping.sql.layouts.read import reading
from pytest_housekeeping.sql.layouts.undone import migration_key
from pytest_housekeeping.sql.path_names import on_disk, part_of, whole_of
from pytest_housekeeping.sql.project_files import ProjectFiles, named_bytes
from pytest_housekeeping.sql.text import digest

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.steps import PlannedStep, StepRecord

_INCLUDES = re.compile(rb"^[ \t]*\\i", re.MULTILINE)


def promoted_before(
    repository: Repository, folder: Path, accepted: Iterable[str] = ()
) -> Sequence[AppliedFile]:
    """The files of every promotion on record that were not taken back, in the order of production.

    Raises EvidenceError when an audit among them cannot be read or was altered, on every branch
    that has it, and ``accepted`` does not name it: staging must not start from a history that
    nobody can trust.
    """
    place = repository.relative(folder)
    found = list(repository.changes_on_record(place))
    if not found:
        return ()
    audits = list(intact_audits(repository, found, accepted))
    audits.sort(key=lambda audit: audit.run.finished_at)
    past: list[AppliedFile] = []
    segment = 0
    for audit in audits:
        if audit.run.outcome not in CHANGED or audit.source.commit is None:
            continue
        planned = {step.id: step for step in audit.plan.steps}
        recorded = audit.plan.records_only
        for number in committed_segments(audit):
            done = [
                (planned[step.id], step)
                for step in audit.steps
                if step.segment == number and step.outcome is Outcome.PASSED
            ]
            if audit.run.mode is Mode.ROLLBACK:
                _take_back(past, done)
                continue
            segment += 1
            past += [
                AppliedFile(
                    path=plan.path,
                    sha256=plan.sha256,
                    kind=step.kind,
                    commit=audit.source.commit,
                    segment=segment,
                    recorded=recorded,
                )
                for plan, step in done
                if step.kind in FILES
            ]
    return _in_whole(past)


def applied_files(rows: Iterable[history.Row]) -> tuple[AppliedFile, ...]:
    """The files of the history table that stand, as a plan sees them."""
    return _in_whole(
        [
            AppliedFile(path=row.path, sha256=row.sha256, kind=Kind(row.kind), commit=row.commit)
            for row in rows
        ]
    )


def _in_whole(past: Sequence[AppliedFile]) -> tuple[AppliedFile, ...]:
    """Of a file that ran in parts and is there as a whole, the file, in the place of its last part;
    of one that a failure has ended in the middle, the parts that are there."""
    there = {each.path for each in past}
    done: list[AppliedFile] = []
    for each in past:
        whole = whole_of(each.path)
        count = int(each.path.rpartition("of")[2]) if whole != each.path else 0
        if count and all(part_of(whole, n, count) in there for n in range(1, count + 1)):
            if each.path == part_of(whole, count, count):
                done.append(replace(each, path=whole))
        else:
            done.append(each)
    return tuple(done)


def promoted_file(
    config: Config, sources: ProjectFiles, repository: Repository | None, past: AppliedFile
) -> Reading:
    """What was promoted, as its layout reads it: from the files read where it is unchanged, else
    from its commit.

    Raises ProofFailed where neither holds it byte for byte.
    """
    data = sources.read(past.path) if sources.has(past.path) else b""
    if digest(data) != past.sha256:
        if repository is None:
            raise ProofFailed(
                f"the promoted text of {past.path} is not on disk, and there is no repository",
                why="staging has to start from what production has",
                fix="run it in a clone of the project, or put the promoted text back",
            )
        held = repository.show(past.commit, repository.relative(sources.root / on_disk(past.path)))
        data = named_bytes(past.path, held)
    if digest(data) != past.sha256:
        raise ProofFailed(
            f"{past.path} in commit {past.commit[:12]} is not the text that was promoted",
            why="what is made of it would be something else than what production has",
            fix=f"find the commit with the promoted text (sha256 {past.sha256[:12]}...),"
            " and correct the evidence",
        )
    files = sources
    if repository is not None and past.commit and _INCLUDES.search(data):
        # What it includes is a part of it, and may have been edited since.
        files = _of_commit(sources, repository, past.commit)
    return reading(config, files, past.path, data)


def _of_commit(sources: ProjectFiles, repository: Repository, commit: str) -> ProjectFiles:
    def read(path: str) -> bytes:
        try:
            return repository.show(commit, repository.relative(sources.root / path))
        except EvidenceError as error:
            raise FileNotFoundError(ENOENT, error.found, path) from None

    return ProjectFiles(sources.root, read=read)


def committed_segments(audit: Audit) -> list[int]:
    """The segments of a run that are in the database.

    Of one that committed what was not proved, a step behind its promote has failed; where none
    has, a test committed by force, or the plan is of a version without such steps, and the first
    promote that did not pass is the one.
    """
    promotes = sorted(
        (step.segment, step.outcome) for step in audit.steps if step.kind is Kind.PROMOTE
    )
    passed = [segment for segment, outcome in promotes if outcome is Outcome.PASSED]
    told = any(s.kind is Kind.AFTER and s.outcome is Outcome.FAILED for s in audit.steps)
    if told or audit.run.outcome is not RunOutcome.PROMOTED_UNPROVED:
        return passed
    return passed + [segment for segment, _ in promotes if segment not in passed][:1]


def _take_back(past: list[AppliedFile], done: Iterable[tuple[PlannedStep, StepRecord]]) -> None:
    """What a rollback undid is no longer there; of a repeatable file, an older text may be."""
    done = list(done)
    older = {plan.path: plan.sha256 for plan, step in done if step.kind in FILES}
    for plan, step in done:
        if step.kind is not Kind.ROLLBACK or not plan.path:
            continue
        undone = migration_key(plan.path)
        for place in range(len(past) - 1, -1, -1):
            if migration_key(past[place].path) != undone:
                continue
            if past[place].sha256 == older.get(past[place].path):
                break
            del past[place]
