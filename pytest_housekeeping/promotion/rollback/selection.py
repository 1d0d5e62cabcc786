"""From what ``--hk-to`` names to what is to be undone, as history and the evidence say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import EvidenceError, MisuseError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.run_outcomes import COMMITTED
from pytest_housekeeping.model import Kind, Mode, TargetIdentity
from pytest_housekeeping.postgres.own_tables.history import Row, in_effect
from pytest_housekeeping.sql.layouts.numbered import same_version
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.path_names import whole_of
from pytest_housekeeping.sql.project_files import ProjectFiles

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

_WHY = "what is undone has to be exactly what was meant"
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Reverted:
    """What is to be undone: ``rows`` newest first, of the promotions ``runs``, newest first.

    ``standing`` is what stays, in order; ``audit`` that of the oldest promotion undone, before
    which the schema was the one to go back to.
    """

    run: str
    rows: tuple[Row, ...]
    standing: tuple[Row, ...]
    audits: dict[str, Audit]

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.run for row in self.rows))

    @property
    def promoted_on(self) -> date:
        """The day on which that schema still stood: exemptions that held then hold for it."""
        return self.audit.run.started_at.date()

    @property
    def audit(self) -> Audit:
        return self.audits[self.run]

    def place(self, row: Row) -> tuple[str, int]:
        """The promotion that applied a file, and the segment in which it did."""
        steps = self.audits[row.run].steps
        applied = f"{row.path}::apply"
        return row.run, next((step.segment for step in steps if step.id == applied), 1)


def find_reverted(
    config: Config,
    repository: Repository | None,
    rows: Sequence[Row],
    to: str,
    target: TargetIdentity,
) -> Reverted:
    """What going back to the state before ``to`` undoes: a promotion by its run, or a migration
    by its number, and whatever was applied after it.

    Raises MisuseError, and says which, for a name of nothing, of what was never applied or is
    undone already, of a run on another database and of a baseline; EvidenceError for an audit
    that is not here or was edited.
    """
    standing = in_effect(rows)
    versions = _versions(config)
    place = _place(standing, to, versions)
    if place is None:
        raise _nothing(config, repository, rows, standing, to, target, versions)
    undone = standing[place:]
    if all(row.kind == Kind.SEED for row in undone):
        raise _refusal(
            to, "has applied nothing but seeds", "rows are not taken back: write them otherwise"
        )
    audits = _audits(config, repository, {row.run for row in undone})
    for run, audit in audits.items():
        _refuse_foreign(run, audit, target)
        if audit.plan.records_only:
            raise MisuseError(
                f"--hk-to={to}: run {run} recorded a baseline and applied nothing",
                why="what it recorded was made without this tool, which has no way back for it",
                fix="name a promotion that came after it",
            )
    return Reverted(
        run=undone[0].run,
        rows=tuple(reversed(undone)),
        standing=tuple(standing[:place]),
        audits=audits,
    )


def _place(standing: Sequence[Row], to: str, versions: Mapping[str, str]) -> int | None:
    """Where what is to be undone begins. A run may be written in digits alone: it goes first."""
    for place, row in enumerate(standing):
        if row.run == to:
            return place
    for place, row in enumerate(standing):
        if _is_version(row, to, versions):
            return place
    return None


def _versions(config: Config) -> Mapping[str, str]:
    """The versions of the migrations that are on disk, by path."""
    found = listing(config, ProjectFiles(config.root)).of(Kind.MIGRATION)
    return {entry.path: entry.version for entry in found}


def _is_version(row: Row, to: str, versions: Mapping[str, str]) -> bool:
    """Of a file that is gone, what its name begins with is its version."""
    path = whole_of(row.path)
    first = path.rpartition("/")[2].partition("_")[0]
    known = versions.get(path, first)
    return row.kind == Kind.MIGRATION and same_version(known, to)


def _nothing(
    config: Config,
    repository: Repository | None,
    rows: Sequence[Row],
    standing: Sequence[Row],
    to: str,
    target: TargetIdentity,
    versions: Mapping[str, str],
) -> MisuseError:
    """Why nothing can be undone by that name."""
    runs = list(dict.fromkeys(row.run for row in standing))
    known = f"promotions that stand, the newest first: {', '.join(runs[::-1][:_SHOWN]) or 'none'}"
    undoing = [row for row in rows if row.kind == Kind.ROLLBACK]
    paths = {row.path for row in rows if row.run == to or _is_version(row, to, versions)}
    by = [row.run for row in undoing if row.path in paths]
    if by and to not in {row.run for row in undoing}:
        return _refusal(to, f"was undone already, by run {by[-1]}", known)
    if to in {row.run for row in undoing}:
        return _refusal(to, "is a rollback", f"what it undid is promoted again; {known}")
    if any(same_version(version, to) for version in versions.values()):
        return _refusal(to, "was never applied here", known)
    for _, _, text in _texts(config, repository, {to}, tuple(Mode)):
        data = json.loads(text)
        run, there = data["run"], data["target"] or {}
        if there and not _is(there["system_identifier"], there["database"], target):
            place = f"{there['host']}:{there['port']}/{there['database']}"
            return _refusal(to, f"is a run on another database, {place}", known)
        if run["mode"] != Mode.PROD or run["outcome"] not in COMMITTED:
            said = f"is a {run['mode']} run that ended {run['outcome']}: it left nothing to undo"
            return _refusal(to, said, known)
    return _refusal(to, "names no promotion and no migration of this database", known)


def _refusal(to: str, said: str, fix: str) -> MisuseError:
    return MisuseError(f"--hk-to={to} {said}", why=_WHY, fix=fix)


def _is(system_identifier: str, database: str, target: TargetIdentity) -> bool:
    return (system_identifier, database) == (target.system_identifier, target.database)


def _refuse_foreign(run: str, audit: Audit, target: TargetIdentity) -> None:
    there = audit.target
    if there is not None and not _is(there.system_identifier, there.database, target):
        raise MisuseError(
            f"run {run} went to {there.host}:{there.port}/{there.database}, and this is"
            f" {target.host}:{target.port}/{target.database}",
            why="the history of this database was copied from another one: its backups are not of"
            " this one",
            fix="check the variables of its address",
        )


def _audits(config: Config, repository: Repository | None, runs: set[str]) -> dict[str, Audit]:
    """The audit of each promotion. Raises EvidenceError for one that is missing or was edited."""
    from pytest_housekeeping.evidence.audit_file import from_json

    found: dict[str, Audit] = {}
    for run, name, data in _texts(config, repository, runs, (Mode.PROD,)):
        if run not in found:
            found[run] = from_json(data, name=name, intact=True)
    for run in sorted(runs - found.keys()):
        raise EvidenceError(
            f"the audit of run {run} is not here",
            why="it says which segments were promoted and which backup was taken before",
            fix=fetch_fix(repository) if repository else "run in the clone that has the evidence",
        )
    return found


def _texts(
    config: Config, repository: Repository | None, runs: set[str], modes: Sequence[Mode]
) -> Iterator[tuple[str, str, bytes]]:
    """Run, name and text of their audits: those of git, then those whose commit did not succeed."""
    folder: Path = config.root / config.audit
    for mode in modes:
        if repository is not None:
            for name, data in repository.evidence(mode, repository.relative(folder)):
                if (run := _run_of(name)) in runs:
                    yield run, name, data
        for path in sorted(folder.glob(f"{mode}_*.json")):
            if (run := _run_of(path.name)) in runs:
                yield run, path.name, path.read_bytes()


def _run_of(name: str) -> str:
    """The run in the name of an audit, ``<mode>_<UTC>_<run>.json``."""
    return name.rpartition("_")[2].removesuffix(".json")
