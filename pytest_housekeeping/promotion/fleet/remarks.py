"""What a run on a fleet says to other machines: a remark for each database, or group, with which
something is wrong."""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext, suppress
from pathlib import Path

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.declarations.fleets import TABLE
from pytest_housekeeping.declarations.settings import SETTINGS
from pytest_housekeeping.evidence import open_repository
from pytest_housekeeping.evidence.fleet_record import FleetRecord
from pytest_housekeeping.evidence.fleet_standing import outcome_of_fleet, troubles
from pytest_housekeeping.evidence.remarks import MOST, Remark, Remarks
from pytest_housekeeping.evidence.report.display import shortened
from pytest_housekeeping.evidence.report.sarif import Ran, sarif_of
from pytest_housekeeping.model import Level, Place
from pytest_housekeeping.promotion.recording.reports import Told, below_of, leave

_RULE = "fleet-database"
_MOST_DETAIL = 1000


def told_of_fleet(config: Config, fleet: Fleet, record: FleetRecord) -> Told:
    """Each at the line of the list that names it, or at the table of the fleet in the settings."""
    place = _Places(config, fleet)
    told = [
        Remark(
            rule=_RULE,
            level=Level.ERROR,
            object=each.name,
            detail=shortened(f"{each.how}: {each.said}", _MOST_DETAIL),
            step=each.where,
            place=place.of(each.name),
            fingerprint=hashlib.sha256(f"{fleet.name}/{each.name}".encode()).hexdigest()[:32],
        )
        for each in troubles(record)
    ]
    with open_repository(config.root) or nullcontext() as repository:
        below = below_of(repository, config.root)
    remarks = Remarks(told=tuple(told[:MOST]), left_out=max(0, len(told) - MOST))
    return Told(remarks=remarks, below=below)


def write_reports_of_fleet(folder: Path, record: FleetRecord, told: Told, *, exit_code: int) -> str:
    """As ``write_reports`` for a run on one database; JUnit has an item for each of them."""
    ran = Ran(
        id=record.id,
        category=f"{record.mode}/{record.fleet}",
        outcome=outcome_of_fleet(record).value,
        audit=f"{record.stem}.json",
        tool_version=record.tool_version,
        started_at=record.started_at,
        finished_at=record.finished_at,
    )
    text = sarif_of(ran, told.remarks, exit_code=exit_code, below=told.below)
    return leave(folder, told, text)


class _Places:
    """Where in the files of the project a database of a fleet is named."""

    def __init__(self, config: Config, fleet: Fleet) -> None:
        self._list = _lines(config.root / fleet.databases) if fleet.databases else []
        self._path = fleet.databases
        table = f"{TABLE}.{fleet.name}]"
        lines = _lines(config.root / SETTINGS)
        at = next((n for n, line in enumerate(lines, start=1) if table in line), 1)
        self._table = Place(path=SETTINGS, line=at)

    def of(self, name: str) -> Place:
        """Of several that are told together, the first; a group has the table."""
        whole = re.compile(rf"(?<![\w.-]){re.escape(name.partition(',')[0])}(?![\w.-])")
        for number, line in enumerate(self._list, start=1):
            if found := whole.search(line):
                return Place(path=self._path, line=number, column=found.start() + 1)
        return self._table


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []
