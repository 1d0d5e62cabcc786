"""The journals that killed runs have left behind: which they are, and the events in them."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence.journal import SUFFIX
from pytest_housekeeping.model import TargetIdentity

Event = dict[str, Any]
"""A line of a journal: its ``event``, the moment ``at`` which it was written, and its facts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentTo:
    """The database that a COMMIT was sent to, as the journal has it.

    ``timeline`` is None in a journal of an earlier version, and of a server that does not tell it.
    """

    system_identifier: str
    database: str
    timeline: int | None

    def may_be(self, target: TargetIdentity) -> bool:
        """Whether it is this one: a timeline of which either does not know is not compared."""
        return (self.system_identifier, self.database) == (
            target.system_identifier,
            target.database,
        ) and (None in (self.timeline, target.timeline) or self.timeline == target.timeline)

    def __str__(self) -> str:
        timeline = f", timeline {self.timeline}" if self.timeline is not None else ""
        return f"system identifier {self.system_identifier}, database {self.database}{timeline}"


def leftovers(folder: Path) -> tuple[Path, ...]:
    """The journals in a folder whose run is dead, oldest first: nobody holds their lock."""
    return tuple(path for path in sorted(folder.glob(f"*{SUFFIX}")) if _is_dead(path))


def read_events(path: Path) -> tuple[list[Event], bool]:
    """The events of a journal, and whether a line other than the last could not be read.

    A last line that was torn off is left out. Raises EvidenceError when not even the first line
    can be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise unreadable(path, error.strerror or "") from None
    if lines[-1] == b"":
        lines.pop()
    events = [_parse(line) for line in lines]
    while len(events) > 1 and events[-1] is None:
        events.pop()
    known = [event for event in events if event is not None]
    if not events or events[0] is None or events[0].get("event") != "started":
        raise unreadable(path, "its first line is no beginning of a run")
    return known, len(known) < len(events)


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and {"event", "at"} <= event.keys() else None


def _is_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    # A run that ended between the two has removed it itself.
    return path.exists()


def unreadable(path: Path, reason: str) -> EvidenceError:
    """What is raised of a journal of which no audit can be made."""
    return EvidenceError(
        f"the journal {path} cannot be read: {reason}",
        why="it is what a run that was killed left behind; what that run did is not known",
        fix="compare the history table with sql/, then move the file away",
    )
