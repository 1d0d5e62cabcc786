"""What runs of a fleet's databases have left that were killed, or whose fleet was."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import EvidenceError, ProofFailed, ServerError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.audit_file import from_json
from pytest_housekeeping.evidence.fleet_record import FleetRecord, read_fleet_record
from pytest_housekeeping.evidence.git.objects import fleet_records
from pytest_housekeeping.evidence.journal import SUFFIX
from pytest_housekeeping.model import Mode
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.fleet.survey import reach
from pytest_housekeeping.promotion.production.of_fleet.databases import FleetDatabase
from pytest_housekeeping.promotion.recording.killed_runs import dead_journals, record_killed_runs
from pytest_housekeeping.promotion.target_connection import TargetConnection


@dataclass(frozen=True, kw_only=True)
class LeftBehind:
    """The files of one run's evidence, which no commit holds yet, and what to tell of it."""

    files: tuple[Path, ...]
    told: str


def left_behind(
    config: Config,
    repository: Repository | None,
    fleet: Fleet,
    databases: Sequence[FleetDatabase],
    but: Collection[Path],
) -> Iterator[LeftBehind]:
    """The evidence of each run that is dead and not committed, what became of its COMMIT asked for.

    Nothing is asked of runs whose audits are among ``but``: they have handed back their evidence. A
    database that is away is asked when it is there. Raises EvidenceError.
    """
    for database in databases:
        folder = config.root / database.target(fleet, config.audit).audit
        if not dead_journals(folder, but=but):
            continue
        try:
            opened = reach(config, fleet, database)
        except (ServerError, ProofFailed):
            continue
        again = partial(reach, config, fleet, database)
        connection = TargetConnection(again, opened=opened, identity=identified(opened))
        try:
            ask = connection.status_on
            found = record_killed_runs(folder, repository, prefix="", ask=ask, but=but)
            for _, paths, said in found:
                yield LeftBehind(files=tuple(paths), told=f"{database.name}: {said}")
        finally:
            connection.close()


@dataclass(frozen=True, kw_only=True)
class LeftRecord:
    """A record that no commit holds, and its files with their contents."""

    record: FleetRecord
    files: Mapping[Path, bytes]


def left_records(
    repository: Repository, root: Path, folder: Path, mode: Mode, left: Sequence[LeftBehind]
) -> Iterator[LeftRecord]:
    """The records of earlier runs of which ``left`` is the evidence: it was not committed, and so
    were they not. One that names an audit that is still not there as it was, or of a database that
    is away, is for a later run."""
    if not left:
        return
    committed = set(fleet_records(repository, repository.relative(folder)))
    now = {path for each in left for path in each.files}
    for path in sorted(folder.glob("fleet_*.json")):
        text = path.read_bytes()
        found = read_fleet_record(text)
        if text in committed or found is None or found.mode is not mode:
            continue
        named = {root / each.audit: each.digest for _, each in found.members if each.audit}
        if named and all(_is_kept(each, digest, now) for each, digest in named.items()):
            page = path.with_suffix(".html")
            pages = {page: page.read_bytes()} if found.page and page.is_file() else {}
            yield LeftRecord(record=found, files={path: text, **pages})


def _is_kept(audit: Path, digest: str, now: Collection[Path]) -> bool:
    """Whether it is committed now, or was before: the journal beside it is gone then."""
    if audit not in now and audit.with_name(f"{audit.stem}{SUFFIX}").exists():
        return False
    with suppress(EvidenceError, OSError):
        found = from_json(audit.read_bytes(), name=audit.name, intact=True)
        return found.chain.digest == digest
    return False


def settled(root: Path, committed: Sequence[str]) -> None:
    """The journals of runs whose audits are committed now have done their work."""
    for name in committed:
        audit = root / name
        if audit.suffix == ".json":
            audit.with_name(f"{audit.stem}{SUFFIX}").unlink(missing_ok=True)
