"""``python -m pytest_housekeeping status``: what is applied in production, and what code needs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pytest_housekeeping.config import PRODUCTION, Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.plain_audit import plain_audit
from pytest_housekeeping.evidence.proof.prove import records_of
from pytest_housekeeping.evidence.proof.reviews import review_findings
from pytest_housekeeping.evidence.report.display import one_line, plural
from pytest_housekeeping.evidence.run_outcomes import CHANGED
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.pending import FILES, AppliedFile, pending_files
from pytest_housekeeping.plan.plan import ToolsPast
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.commands.needed_files import NeededFiles, needed_files
from pytest_housekeeping.promotion.commands.own_repository import own_repository
from pytest_housekeeping.promotion.production.of_fleet.databases import located
from pytest_housekeeping.promotion.production.other_tool.beside import tools_past
from pytest_housekeeping.promotion.production.other_tool.their_files import recorded_by
from pytest_housekeeping.promotion.production.prechecks.not_begun import (
    FIX,
    FOUND,
    holds_tables,
)
from pytest_housekeeping.promotion.production.promoted.promotion_table import (
    last_fingerprint,
    last_promotion,
)
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
    read_address,
    required,
)
from pytest_housekeeping.promotion.repository.applied import (
    applied_files,
    promoted_before,
)
from pytest_housekeeping.promotion.repository.target_pin import misplaced, read_pin
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import Difference, in_common
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.sql.folder import read_all
from pytest_housekeeping.sql.project_files import ProjectFiles

_WHY = "which code may be deployed depends on what is applied"


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusReport:
    """What the command prints, and whether all is well: with ``--needs``, that it may go."""

    lines: tuple[str, ...]
    good: bool


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What is applied in production, by whom this is known, and its last promotion in words.

    ``drift`` is what was changed past the files since; None where nobody has looked. ``theirs`` is
    what another tool tells that goes on applying the files. ``stands`` is whether there are tables
    though nothing is on record.
    """

    known_by: str
    files: tuple[AppliedFile, ...]
    last: str = ""
    drift: tuple[Difference, ...] | None = None
    theirs: ToolsPast | None = None
    stands: bool = False


def status(root: Path, *, target: str = PRODUCTION, needs: str | None = None) -> StatusReport:
    """What is applied, by the target's own history where its variables are set, else by evidence.

    With ``needs``, whether all that this commit needs is. Nothing is written anywhere.

    Raises MisuseError for what cannot be used: no repository, no such commit, half an address;
    ServerError and ProofFailed where production cannot be asked, or is another one than the pinned.
    """
    with own_repository(root) as repository:
        config = load_config(root, target=target)
        needed = needed_files(repository, config, needs) if needs is not None else None
        evidence = _by_evidence(repository, config)
        told = any(os.environ.get(name) for name in required(config.target))
        applied = _by_production(repository, config) if told else evidence
        unknown = tuple(_nothing_known(config, applied, fetch_fix(repository)))
        if needed is not None:
            return _deployment(needed, applied, unknown)
        return _report(repository, config, applied, evidence, unknown)


def _pending(config: Config, applied: Sequence[AppliedFile]) -> list[str]:
    """The files of this worktree that a promotion would apply."""
    known = [(each.path, each.sha256) for each in applied]
    kinds = (*FILES, Kind.SEED) if config.target.seeds else FILES
    found = read_all(config, ProjectFiles(config.root), kinds, applied=known).files
    return [file.path for file in pending_files(found, applied, kinds)]


def _by_evidence(repository: Repository, config: Config) -> Applied:
    folder = config.root / config.audit
    files = promoted_before(repository, folder, config.accepted_evidence_faults)
    return Applied(
        known_by="the evidence of this clone",
        files=tuple(files),
        last=_last_run(repository, repository.relative(folder)),
    )


def _last_run(repository: Repository, folder: str) -> str:
    """The run that changed production last, of those on record."""
    found = []
    for _, data in repository.changes_on_record(folder):
        audit = plain_audit(data)
        if audit is not None and audit["run"].get("outcome") in CHANGED:
            run, commit = audit["run"], audit["source"].get("commit") or "none"
            who = f" by {run['actor']}" * bool(run.get("actor"))
            found.append((run["finished_at"], run["id"], who, commit))
    if not found:
        return ""
    at, run_id, who, commit = max(found)
    return f"run {run_id} at {at}{who}, commit {commit[:12]}"


def _by_production(repository: Repository, config: Config) -> Applied:
    """What its own history says; in a session that can change nothing."""
    config = located(config)
    address = read_address(os.environ, config.target)
    connection = open_production(address, config.session)
    with closed_on_failure(connection, address):
        connection.execute("SET default_transaction_read_only = on")
        place = _pinned_place(repository, config, connection)
        try:
            rows = history.applied(connection, config.history_schema)
            last = last_promotion(connection, config.history_schema)
            drift = _drift(config, connection)
            known = rows or last
            theirs = None if known else tools_past(config, ProjectFiles(config.root), connection)
            stands = not known and theirs is None and holds_tables(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ProofFailed(
                f"{address.user} may not read the history: {error.diag.message_primary}",
                why="it belongs to the role that promotes",
                fix="connect as that role, or as one that plans, by the variables "
                f"{config.target.variables}",
            ) from None
    connection.close()
    if theirs is not None:
        by, last_file = f"{theirs.table} of {place}", theirs.files[-1:]
        named = last_file[0].path if last_file else "none of the files here"
        last_run = f"{named}, by {theirs.tool}"
        return Applied(known_by=by, files=theirs.files, last=last_run, theirs=theirs)
    return Applied(
        known_by=f"the history of {place}",
        files=applied_files(rows),
        last=f"run {last.run} at {last.at} by {last.by}, commit {last.commit[:12]}" if last else "",
        drift=drift,
        stands=stands,
    )


def _drift(config: Config, connection: LentConnection) -> tuple[Difference, ...] | None:
    """What differs from the schema that the last promotion left, but for what may move."""
    recorded = last_fingerprint(connection, config.history_schema)
    if recorded is None:
        return None
    now = read_fingerprint(connection, exclude_schemas=recorded.excluded, once=True)
    before, after, _ = in_common(recorded, now)
    return split_declared(before, after, config.may_move).others


def _pinned_place(repository: Repository, config: Config, connection: LentConnection) -> str:
    """Where the connection leads. Raises ProofFailed for another database than the pinned one."""
    identity = identified(connection)
    place = f"{identity.host}:{identity.port}/{identity.database}"
    pin = read_pin(config, ProjectFiles(config.root), repository)
    wrong = misplaced(pin, identity, identity.timeline, config.target) if pin is not None else []
    if wrong:
        found, fix = wrong[0]
        raise ProofFailed(f"{place} {found}", why=_WHY, fix=fix)
    return place


def _deployment(needed: NeededFiles, applied: Applied, unknown: Sequence[str]) -> StatusReport:
    lacking = needed.lacking(applied.files)
    of = f"{needed.name} ({needed.commit[:12]})"
    there = len(needed.files) - len(lacking)
    by = f"by {applied.known_by}"
    head = f"{of} needs {plural(len(needed.files), 'SQL file')}; applied, {by}: {there}"
    if not lacking:
        return StatusReport(lines=(head, "it may be deployed"), good=True)
    lines = [head, *(f"  {each}" for each in lacking), "it would run ahead of the schema"]
    lines += unknown if not applied.files else []
    lines += ["  fix: promote first, then deploy; of evidence that is not merged: merge it"]
    return StatusReport(lines=tuple(lines), good=False)


def _nothing_known(config: Config, applied: Applied, fetch: str) -> Iterator[str]:
    yield "no promotion is on record there"
    if applied.stands and not config.baseline:
        yield f"  tables {FOUND}"
        yield f"  fix: {FIX}: {config.target.promotion} --hk-baseline=VERSION"
    yield f"  where one was made in another clone, fetch its evidence: {fetch}"
    if config.baseline:
        yield (
            f"  baseline = {config.baseline!r} in the settings says that it has the files up to"
            f" there; what records them runs none: {recorded_by(config)}"
        )


def _report(
    repository: Repository,
    config: Config,
    applied: Applied,
    evidence: Applied,
    unknown: Sequence[str],
) -> StatusReport:
    option, pending = config.target.option, _pending(config, applied.files)
    lines = [f"{plural(len(applied.files), 'file')} applied, by {applied.known_by}"]
    lines += [f"last: {applied.last}"] if applied.last else unknown
    lines += [
        f"  {each.path}  sha256 {each.sha256[:12]}"
        + f"  commit {each.commit[:12]}" * bool(each.commit)
        for each in applied.files
    ]
    if applied.theirs is not None:
        return _theirs(applied.theirs, lines, pending, option)
    lines += [f"{plural(len(pending), 'file')} pending here", *(f"  {each}" for each in pending)]
    lines += _told_of_drift(applied.drift, option)
    files = [each for each in applied.files if each.kind is not Kind.SEED]
    unmerged = _beyond(files, evidence.files)
    lines += [f"not in the evidence here, which may not be merged: {each}" for each in unmerged]
    lost = _beyond(evidence.files, applied.files)
    lines += [f"on record as promoted, and not applied there: {each}" for each in lost]
    if lost:
        lines += [f"  fix: python -m pytest_housekeeping audit --target{option} says what is wrong"]
    opened = list(review_findings(repository, records_of(repository)))
    for each in opened:
        lines += [one_line(f"{each.object} {each.detail}"), f"  fix: {one_line(each.fix)}"]
    good = bool(applied.files) and not (lost or opened or applied.drift)
    return StatusReport(lines=tuple(lines), good=good)


def _theirs(
    theirs: ToolsPast, lines: list[str], pending: Sequence[str], option: str
) -> StatusReport:
    """Where another tool goes on applying the files, nothing of it is on record here."""
    lines += [f"{plural(len(pending), 'file')} pending here", *(f"  {each}" for each in pending)]
    lines += [line for fault in theirs.faults for line in str(fault).splitlines()]
    lines += [f"drift: not asked: pytest --hk-mode=verify{option} compares it with the files"]
    return StatusReport(lines=tuple(lines), good=not theirs.faults)


def _told_of_drift(drift: Sequence[Difference] | None, option: str) -> Iterator[str]:
    if drift is None:
        yield "drift: not known: production itself was not asked, or remembers no promotion"
    elif not drift:
        yield "no drift: the schema is as the last promotion left it"
    else:
        yield f"drift: {plural(len(drift), 'object')} changed since, by no file:"
        yield from (f"  {one_line(str(each))}" for each in drift)
        command = f"python -m pytest_housekeeping adopt-drift{option}"
        yield f"  fix: {command} writes the migration, or undo it"


def _beyond(files: Sequence[AppliedFile], others: Sequence[AppliedFile]) -> list[str]:
    known = {(each.path, each.sha256) for each in others}
    return [each.path for each in files if (each.path, each.sha256) not in known]
