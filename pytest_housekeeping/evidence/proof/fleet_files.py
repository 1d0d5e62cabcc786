"""The files of records of fleets, as the proof of the evidence reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.git.committed import FileVersion
from pytest_housekeeping.evidence.model.audit import Artifact
from pytest_housekeeping.evidence.records import NOT_HERE
from pytest_housekeeping.model import Mode

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.fleet_record import FleetRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetFile:
    """A record of a fleet that stands under a path. ``fault`` says why it is not what its run
    wrote; of one that cannot be read nothing else is known."""

    version: FileVersion
    record: FleetRecord | None = None
    fault: str = ""

    @property
    def path(self) -> str:
        return self.version.path

    @property
    def digest(self) -> str:
        return self.record.chain.digest if self.record else ""

    @property
    def previous(self) -> str | None:
        """The record that it builds on. A plan is a report, and committed nowhere."""
        if self.record is None or self.record.mode is Mode.PLAN:
            return None
        return self.record.chain.previous

    @property
    def page(self) -> Artifact | None:
        """Its page, where it names one."""
        if self.record is None or not self.record.page:
            return None
        return Artifact(path=f"{self.path.removesuffix('.json')}.html", sha256=self.record.page)

    @property
    def audits(self) -> Iterator[tuple[str, str]]:
        """Where the audit of each of its databases stands, and with which digest."""
        folder = PurePosixPath(self.version.folder)
        for _, each in self.record.members if self.record else ():
            if each.audit:
                place = folder.parent / each.name / folder.name / PurePosixPath(each.audit).name
                yield place.as_posix(), each.digest


def read_fleet_files(
    versions: Mapping[FileVersion, bytes | None],
) -> tuple[FleetFile, ...]:
    """By name; the content is None where this clone does not have it."""
    found = [_read(version, data) for version, data in versions.items()]
    return tuple(sorted(found, key=lambda each: (each.version.name, each.path)))


def _read(version: FileVersion, data: bytes | None) -> FleetFile:
    if data is None:
        return FleetFile(version=version, fault=NOT_HERE)
    from pytest_housekeeping.evidence.fleet_record import fleet_json, read_fleet_record

    record = read_fleet_record(data)
    fault = ""
    if record is None:
        fault = "it cannot be read, or does not have its digest"
    elif f"{record.stem}.json" != version.name:
        fault = f"it is the record {record.id}, which is named {record.stem}.json"
    elif fleet_json(record, as_read=True).encode() != data:
        fault = "it is not written as a run writes it: blanks, or a key that stands there twice"
    return FleetFile(version=version, record=record, fault=fault)
