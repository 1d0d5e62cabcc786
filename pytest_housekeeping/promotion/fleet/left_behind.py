"""What runs of a fleet's databases have left that were killed, or whose fleet was."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.errors import ProofFailed, ServerError
from pytest_housekeeping.evidence.journal import SUFFIX
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
    config: Config, fleet: Fleet, databases: Sequence[FleetDatabase], but: Collection[Path]
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
            for _, paths, said in record_killed_runs(folder, prefix="", ask=ask, but=but):
                yield LeftBehind(files=tuple(paths), told=f"{database.name}: {said}")
        finally:
            connection.close()


def settled(root: Path, committed: Sequence[str]) -> None:
    """The journals of runs whose audits are committed now have done their work."""
    for name in committed:
        audit = root / name
        if audit.suffix == ".json":
            audit.with_name(f"{audit.stem}{SUFFIX}").unlink(missing_ok=True)
