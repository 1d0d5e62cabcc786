"""The record of a run on a fleet as a pydantic model: groups, waves, how each database stands."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.model.part import Part
from pytest_housekeeping.evidence.run_facts import utc_stamp
from pytest_housekeeping.model import Mode

PASSED, FAILED, AWAY, LEFT = "passed", "failed", "away", "not begun"
# How a database stands of which no run was to be made.
LEFT_OUT, ARCHIVED, UP_TO_DATE, PENDING = "left out", "archived", "up to date", "pending"


class MemberRecord(Part):
    """A database in its wave: ``how`` its item ended, and what its own run has left."""

    name: str
    how: str = LEFT
    detail: str = ""
    outcome: str = ""
    run: str = ""
    audit: str = Field(default="", description="the JSON of its run, from the root of the project")
    digest: str = ""
    seconds: float = 0.0


class WaveRecord(Part):
    """Databases that were begun when those of the wave before had ended."""

    name: str
    databases: tuple[MemberRecord, ...]


class GroupRecord(Part):
    """Databases of one schema with the same files; ``how`` its rehearsal ended."""

    name: str
    databases: tuple[str, ...]
    applied: int = 0
    pending: tuple[str, ...] = ()
    fingerprint: str = ""
    how: str = ""
    detail: str = ""


class ToldRecord(Part):
    """A database of which something is told, and what."""

    name: str
    detail: str


class ChainRecord(Part):
    """The record before it, and the digest of this one."""

    previous: str | None = None
    digest: str = ""


class FleetRecord(Part):
    """A plan, a promotion or a watch of a fleet, or of a ``shard`` of it."""

    schema_version: Literal[1] = 1
    fleet: str
    mode: Mode
    id: str
    shard: str = ""
    confirm: str = Field(default="PROMOTE", description="the word of a promotion")
    started_at: AwareDatetime
    finished_at: AwareDatetime
    tool_version: str
    actor: str = ""
    ci_url: str = ""
    commit: str | None = None
    complete: bool
    counts: Mapping[str, int] = Field(default={}, description="the databases by how they stand")
    groups: tuple[GroupRecord, ...] = ()
    rows: tuple[ToldRecord, ...] = Field(default=(), description="what its rows would refuse")
    away: tuple[ToldRecord, ...] = ()
    left_out: tuple[ToldRecord, ...] = ()
    drifted: tuple[ToldRecord, ...] = ()
    archived: tuple[str, ...] = ()
    waves: tuple[WaveRecord, ...] = ()
    said: tuple[str, ...] = ()
    page: str = Field(default="", description="the sha256 of the page beside it, if there is one")
    chain: ChainRecord = ChainRecord()

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return f"fleet_{utc_stamp(self.started_at)}_{self.id}"

    def command(self, mode: Mode) -> str:
        """What does this in a mode, with the whole fleet or with the share of it."""
        shard = f" --hk-shard={self.shard}" if self.shard else ""
        word = f" --hk-confirm={self.confirm}" if mode is Mode.PROD else ""
        return f"pytest --hk-mode={mode} --hk-fleet={self.fleet}{shard}{word}"

    @property
    def members(self) -> Iterator[tuple[str, MemberRecord]]:
        """Every database once, with its wave: those of waves first, then those of none."""
        named = {each.name for wave in self.waves for each in wave.databases}
        for wave in self.waves:
            yield from ((wave.name, each) for each in wave.databases)
        for group in self.groups:
            for name in group.databases:
                if name not in named:
                    how = PENDING if group.pending else UP_TO_DATE
                    yield "", MemberRecord(name=name, how=how)
        for told, how in ((self.away, AWAY), (self.left_out, LEFT_OUT)):
            for each in told:
                if each.name not in named:
                    yield "", MemberRecord(name=each.name, how=how, detail=each.detail)
        yield from (("", MemberRecord(name=name, how=ARCHIVED)) for name in self.archived)

    def with_page(self, page: bytes) -> FleetRecord:
        """Sealed again, with the page that was made of it."""
        named = self.model_copy(update={"page": hashlib.sha256(page).hexdigest()})
        return named.sealed(self.chain.previous)

    def sealed(self, previous: str | None) -> FleetRecord:
        """With its counts, and its place in the chain."""
        counted = Counter(each.how for _, each in self.members)
        update = {
            "counts": dict(sorted(counted.items())),
            "chain": ChainRecord(previous=previous),
        }
        whole = self.model_copy(update=update)
        chain = ChainRecord(previous=previous, digest=digest(whole))
        return whole.model_copy(update={"chain": chain})


def fleet_json(record: FleetRecord, *, as_read: bool = False) -> str:
    """The text of its file. ``as_read``: only the fields that the file had, which an earlier
    version may have written."""
    document = record.model_dump(mode="json", exclude_unset=as_read)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def read_fleet_record(text: str | bytes) -> FleetRecord | None:
    """What a file holds; None where it is no record, or was edited."""
    try:
        record = FleetRecord.model_validate_json(text)
    except ValidationError:
        return None
    return record if digest(record) == record.chain.digest else None
