"""The schema of a database at any time, as runs have kept it: one text, and then the differences.

A dump changes little from run to run. So its blocks are kept once each, and every state is told by
what it has otherwise than the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pytest_housekeeping.evidence.git.objects import GitCommands, files_at
from pytest_housekeeping.evidence.records import Record
from pytest_housekeeping.evidence.run_entry import Kept
from pytest_housekeeping.sql.text import digest

# pg_dump puts two blank lines behind each object.
_BLOCK = re.compile(r"(?<=\n\n\n)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaState:
    """The schema from a moment on: as a run has found it, or as it has left it."""

    at: str
    run: str
    found: bool
    target: str
    path: str
    text: str


Splice = tuple[int, int, tuple[int, ...]]
"""At this place so many blocks are others: those of these numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaTexts:
    """Every block once, and for each state what differs from the one before it of its target."""

    blocks: tuple[str, ...]
    states: tuple[tuple[SchemaState, tuple[Splice, ...]], ...]


def schema_states_of(git: GitCommands, records: Sequence[Record]) -> Iterator[SchemaState]:
    """Every state that a run has kept and that is here as its audit names it, by time.

    One that is as the state before it is left out: nothing has changed.
    """
    places = {(each.version.branches[0], path) for each in records for path, _ in _kept(each)}
    held = files_at(git, sorted(places))
    last: dict[str, str] = {}
    for record, kept, at, found in sorted(_moments(records), key=lambda each: each[2]):
        place = (record.version.branches[0], _beside(record, kept))
        data = held.get(place, b"")
        entry = record.entry
        if entry is None or entry.target is None or digest(data) != kept.sha256:
            continue
        text, target = data.decode(errors="replace"), entry.target.name
        if last.get(target) != text:
            last[target] = text
            yield SchemaState(
                at=at, run=record.run, found=found, target=target, path=place[1], text=text
            )


def as_differences(states: Sequence[SchemaState]) -> SchemaTexts:
    """The same texts, each told by what it has otherwise than the one before it."""
    numbers: dict[str, int] = {}
    before: dict[str, list[int]] = {}
    told = []
    for state in states:
        now = [numbers.setdefault(each, len(numbers)) for each in _BLOCK.split(state.text)]
        old = before.get(state.target, [])
        told.append((state, tuple(_splices(old, now))))
        before[state.target] = now
    return SchemaTexts(blocks=tuple(numbers), states=tuple(told))


def state_at(states: Sequence[SchemaState], moment: str) -> Mapping[str, SchemaState]:
    """By target the state that stood at a moment, as far as runs have seen it."""
    return {each.target: each for each in states if each.at <= moment}


def _splices(old: Sequence[int], new: Sequence[int]) -> Iterator[Splice]:
    """From the end to the beginning, so that each place is that of the old text."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, start, end, begin, stop in reversed(matcher.get_opcodes()):
        if tag != "equal":
            yield start, end - start, tuple(new[begin:stop])


def _moments(records: Sequence[Record]) -> Iterator[tuple[Record, Kept, str, bool]]:
    for record in records:
        entry = record.entry
        if entry is None or record.fault:
            continue
        if entry.before is not None:
            yield record, entry.before, entry.started_at, True
        if entry.after is not None:
            yield record, entry.after, entry.finished_at, False


def _kept(record: Record) -> Iterator[tuple[str, str]]:
    entry = record.entry
    for kept in (entry.before, entry.after) if entry else ():
        if kept is not None:
            yield _beside(record, kept), kept.sha256


def _beside(record: Record, kept: Kept) -> str:
    """Where a file of the audit stands in the repository."""
    return f"{record.version.folder}/{kept.path.rpartition('/')[2]}".lstrip("/")
