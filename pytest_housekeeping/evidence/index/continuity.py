"""Where one run ended the next one has to begin: what was changed in between, outside of any run.

Of two runs in a row on one database the digests of the schema are compared: as one has left it, and
as the next one has found it. Audits of earlier versions have none. Then the later run's own look
for drift counts, which compares with what the promotion before it has recorded in the database, and
then the two dumps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_housekeeping.evidence.run_entry import EntryTarget, RunEntry
from pytest_housekeeping.evidence.schema_states import SchemaStates
from pytest_housekeeping.model import Mode, Outcome, RunOutcome

_LOOKS = (Mode.PROD, Mode.ROLLBACK, Mode.VERIFY)
_AS_RECORDED = "as recorded"
_ACCEPTED = "drift of "


class Between(StrEnum):
    """What is known of the time between two runs."""

    NOTHING_CHANGED = "nothing_changed"
    CHANGED_OUTSIDE = "changed_outside"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Between the end of ``after`` and the beginning of ``before`` the schema was changed past the
    files, or nobody knows whether it was; ``objects`` are what was changed, as far as it is
    known."""

    kind: Between
    target: EntryTarget
    after: RunEntry
    before: RunEntry
    said: str
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """How a run has left the database, as far as it is known."""

    run: RunEntry
    version: int
    digest: str
    settled: str
    dump: str
    drift: tuple[str, ...]


def gaps(entries: Sequence[RunEntry]) -> Iterator[Gap]:
    """Every gap of every database, in the order of time."""
    lines: dict[tuple[str, str], list[RunEntry]] = defaultdict(list)
    for entry in entries:
        if entry.target is not None and entry.mode in _LOOKS:
            lines[entry.target.identity].append(entry)
    found = [gap for line in lines.values() for gap in _gaps_of(line)]
    yield from sorted(found, key=lambda gap: (gap.before.started_at, gap.before.run))


def _gaps_of(line: Sequence[RunEntry]) -> Iterator[Gap]:
    changing = [each for each in line if _may_change(each)]
    state: _State | None = None
    for entry in sorted(line, key=lambda each: (each.finished_at, each.run)):
        # What was read beside a promotion is of before it or of after it: nobody knows.
        if not _may_change(entry) and any(_overlap(entry, each) for each in changing):
            continue
        if not _has_looked(entry) and not _may_change(entry):
            continue
        if state is not None and entry.target is not None:
            kind, said, objects = _between(state, entry)
            if kind is not Between.NOTHING_CHANGED:
                yield Gap(
                    kind=kind,
                    target=entry.target,
                    after=state.run,
                    before=entry,
                    said=said,
                    objects=objects,
                )
        state = _left(entry)


def _may_change(entry: RunEntry) -> bool:
    return entry.changed or (entry.mode != Mode.VERIFY and entry.outcome == RunOutcome.UNKNOWN)


def _has_looked(entry: RunEntry) -> bool:
    return bool(entry.schema.before or entry.before or entry.drift.outcome == Outcome.PASSED)


def _overlap(one: RunEntry, other: RunEntry) -> bool:
    if one is other:
        return False
    return one.started_at <= other.finished_at and other.started_at <= one.finished_at


def _left(entry: RunEntry) -> _State:
    """A run that has changed nothing leaves what it has found."""
    schema: SchemaStates = entry.schema
    changes = _may_change(entry)
    dump = entry.after if changes else entry.before
    return _State(
        run=entry,
        version=schema.version,
        digest=schema.after if changes else schema.before,
        settled=schema.settled_after if changes else schema.settled_before,
        dump=dump.sha256 if dump else "",
        # A promotion records the schema that it leaves, drift and all.
        drift=() if changes else entry.drift.objects,
    )


def _between(state: _State, entry: RunEntry) -> tuple[Between, str, tuple[str, ...]]:
    found = entry.schema
    new = tuple(each for each in entry.drift.objects if each not in state.drift)
    if state.digest and found.before and state.version == found.version:
        if found.before == state.digest or state.settled in {found.settled_before} - {""}:
            return Between.NOTHING_CHANGED, "", ()
        return (
            Between.CHANGED_OUTSIDE,
            f"the fingerprint was {state.digest[:12]}, and is {found.before[:12]}",
            new or _undone(state, entry),
        )
    if entry.drift.outcome and (entry.drift.objects or entry.drift.said.startswith(_ACCEPTED)):
        if state.drift and not new and len(state.drift) == len(entry.drift.objects):
            return Between.NOTHING_CHANGED, "", ()
        return Between.CHANGED_OUTSIDE, entry.drift.said, new or _undone(state, entry)
    if entry.drift.said.startswith(_AS_RECORDED):
        if not state.drift:
            return Between.NOTHING_CHANGED, "", ()
        return Between.CHANGED_OUTSIDE, entry.drift.said, _undone(state, entry)
    if state.dump and entry.before is not None:
        if entry.before.sha256 == state.dump:
            return Between.NOTHING_CHANGED, "", ()
        return Between.CHANGED_OUTSIDE, "the dumps of the schema differ", ()
    return (
        Between.NOT_KNOWN,
        "neither fingerprints nor dumps of both runs are on record, and no look for drift is",
        (),
    )


def _undone(state: _State, entry: RunEntry) -> tuple[str, ...]:
    """What the run before has seen changed, and this one has not."""
    return tuple(f"undone: {each}" for each in state.drift if each not in entry.drift.objects)
