"""What is to be done with a fleet, and what has become of it: a folder that its processes share."""

from __future__ import annotations

import json
import os
import pickle
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from pytest_housekeeping.config import Fleet
from pytest_housekeeping.evidence.fleet_record import FAILED
from pytest_housekeeping.promotion.fleet.survey import Group, Survey
from pytest_housekeeping.promotion.fleet.waves import CANARY, Wave, budget_of

_LOOK_S = 0.05
_NO_NAME = re.compile(r"[^\w.-]")
_UNTOLD = "untold"
_LOST = (
    "its process has ended without a result; what it has done is in the history of its database:"
    " run the fleet again, and where there was no room, set TMPDIR to a folder with room"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How an item ended; ``detail`` is why it has not passed. ``run`` and ``audit`` are those of a
    database's own run, where there was one."""

    item: str
    how: str
    detail: str = ""
    run: str = ""
    outcome: str = ""
    audit: str = ""
    digest: str = ""
    seconds: float = 0.0


@dataclass(kw_only=True, slots=True)
class _Known:
    """What this process has read of the results, and how far."""

    results: dict[str, Result] = field(default_factory=dict)
    read: int = 0


@dataclass(frozen=True, kw_only=True)
class Work:
    """The fleet, or a ``shard`` of it, its survey, and the waves in their order. ``folder`` is the
    owner's alone.

    Results stand in one file, to which each process adds lines and of which it reads each once.
    """

    folder: Path
    fleet: Fleet
    survey: Survey
    waves: tuple[Wave, ...]
    shard: str = ""
    _known: _Known = field(default_factory=_Known, repr=False, compare=False)

    def save(self) -> None:
        (self.folder / "work").write_bytes(pickle.dumps(self))

    def item(self, place: str, name: str) -> str:
        """The id of an item: of a group, of the rows of a database, of one in its wave."""
        return f"{self.fleet.name}::{place}::{name}"

    def back_of(self, database: str) -> Path:
        """Where the run of a database leaves what there is of it."""
        return self.folder / f"{database}.back"

    def proof_of(self, group: Group) -> Path:
        """Where the proof of a group lies, if it was rehearsed."""
        return self.folder / f"{group.name}.proof"

    def failure_of(self, group: Group) -> Path:
        """Where it is written why the rehearsal of a group has failed, if it has."""
        return self.folder / f"{group.name}.failed"

    def shown_for(self, database: str) -> Path | None:
        """Where what is shown of its group lies, or will lie; None of one that is in none."""
        group = self._groups.get(database)
        return self.proof_of(group) if group is not None else None

    @cached_property
    def _groups(self) -> Mapping[str, Group]:
        return {name: group for group in self.survey.groups for name in group.names}

    def put(self, result: Result) -> None:
        """A result, all of it at once: others look for it. Where there is no room for it, it is
        known here, and the others are told that it has ended."""
        self._known.results[result.item] = result
        # A line that another could not write to its end stays a line of its own.
        line = b"\n" + json.dumps(asdict(result)).encode() + b"\n"
        with suppress(OSError), self._ended.open("ab", buffering=0) as file:
            if file.write(line) == len(line):
                return
        with suppress(OSError):
            self._sign(result.item, _UNTOLD)

    def begin(self, item: str) -> None:
        """That this process works on an item: should it die, nobody waits for it.

        Raises OSError.
        """
        self._sign(item, str(os.getpid()))

    def _sign(self, item: str, said: str) -> None:
        """As a link that leads nowhere: it is there as a whole, and takes no room on the disk."""
        new = self._begun(item).with_suffix(f".{os.getpid()}")
        new.symlink_to(said)
        new.replace(self._begun(item))

    def result(self, item: str) -> Result | None:
        """How an item has ended; one whose process is gone has failed. None where it has not."""
        if (known := self._known.results.get(item)) or (known := self.results().get(item)):
            return known
        try:
            said = self._begun(item).readlink().name
        except FileNotFoundError:
            return None
        if said == _UNTOLD or not _lives(int(said)):
            # It may have ended well a moment ago.
            if item not in self.results():
                self.put(Result(item=item, how=FAILED, detail=_LOST))
            return self.results()[item]
        return None

    def results(self) -> Mapping[str, Result]:
        """All that there are, by item."""
        try:
            with self._ended.open("rb") as file:
                file.seek(self._known.read)
                whole, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return self._known.results
        self._known.read += len(whole + end)
        for line in filter(None, whole.split(b"\n")):
            with suppress(ValueError):
                found = Result(**json.loads(line))
                self._known.results[found.item] = found
        return self._known.results

    def wait_for(self, items: Iterable[str]) -> None:
        """Until each of these has ended."""
        for item in items:
            while self.result(item) is None:
                time.sleep(_LOOK_S)

    def stopped(self) -> str:
        """Why nothing more is begun; "" where it is. A database counts once: its group, its rows or
        itself."""
        groups = {self.item("groups", each.name): each.names for each in self.survey.groups}
        failed = {
            name: each.item
            for each in self.results().values()
            if each.how == FAILED
            for name in groups.get(each.item, (each.item.rpartition("::")[2],))
        }
        canaries = {name for wave in self.waves if wave.name == CANARY for name in wave.databases}
        if first := [item for name, item in failed.items() if name in canaries]:
            return f"a canary failed: {', '.join(first)}"
        allowed = budget_of(self.fleet.failures, self.shard)
        if len(failed) > allowed:
            said = f"{len(failed)} failed, and failures = {self.fleet.failures}"
            if allowed != self.fleet.failures:
                said += f", of which the share {self.shard} has {allowed}"
            return f"{said}: {next(iter(failed.values()))}"
        return ""

    def refused(self, database: str) -> str:
        """Why a database is not begun, whatever becomes of the others; "" where it is: its rows
        would refuse it, or its group was not rehearsed."""
        group = self._groups.get(database)
        if group is not None and self.failure_of(group).exists():
            return f"{group.name} was not rehearsed"
        rows = self.results().get(self.item("rows", database))
        return "its rows would refuse it" if rows is not None and rows.how == FAILED else ""

    @property
    def _ended(self) -> Path:
        return self.folder / "ended"

    def _begun(self, item: str) -> Path:
        return self.folder / f"{_NO_NAME.sub('_', item)}.begun"


def read_work(folder: Path) -> Work:
    """What another process of this very run has saved."""
    found = pickle.loads((folder / "work").read_bytes())  # noqa: S301 - by this run, for itself
    if not isinstance(found, Work):
        raise TypeError(f"{folder} holds no work of a fleet")
    return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
