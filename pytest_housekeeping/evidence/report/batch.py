"""What a batch does, told to a person: in a few lines, and in the rows of the report's tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.report.access_matrix import Matrix, access_matrix
from pytest_housekeeping.evidence.report.clone import clone_lines, clone_summary
from pytest_housekeeping.evidence.report.display import no_command, plural, visible
from pytest_housekeeping.evidence.report.production import now_told, plan_head, rows_of
from pytest_housekeeping.model import RunOutcome
from pytest_housekeeping.postgres.batch_facts import CHANGED, DROPPED, MADE, strength
from pytest_housekeeping.snapshot.compare.changed_lines import before_and_after, shortened

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.batch import (
        AccessRecord,
        ChangeRecord,
        DestroyedRecord,
        IndexBuildRecord,
        MessageRecord,
    )

_MARKS = {MADE: "+", CHANGED: "~", DROPPED: "-"}
_MOST = 12
# What INSERT, UPDATE, DELETE and MERGE take.
_WRITES = "RowExclusiveLock"
_READERS_WAIT, _WRITERS_WAIT = strength("AccessExclusiveLock"), strength("ShareLock")


@dataclass(frozen=True, kw_only=True, slots=True)
class TouchedRelation:
    """A relation that stood before: its strongest lock, who took that, and what happens to it.

    ``waits`` says who waits until COMMIT: readers and writers, writers, or "" for neither.
    """

    relation: str
    mode: str
    step: str
    waits: str
    done: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchView:
    """The rows of the tables of the report, of all segments; ``undone`` are those that are not in
    while others are. ``now`` tells of a relation what is in it in production and how often it was
    written to for ``looked_s`` seconds, ``rows`` the rows alone."""

    there: bool
    changes: tuple[ChangeRecord, ...]
    undone: frozenset[int]
    touched: tuple[TouchedRelation, ...]
    access: tuple[AccessRecord, ...]
    indexes: tuple[IndexBuildRecord, ...]
    destroyed: tuple[DestroyedRecord, ...]
    messages: tuple[MessageRecord, ...]
    coverage: str
    counts: str
    destroyed_told: str
    matrix: Matrix
    now: Mapping[str, str]
    rows: Mapping[str, str]
    looked_s: float


def batch_view(audit: Audit) -> BatchView:
    """What batch.html.jinja shows."""
    return BatchView(
        there=has_batch(audit),
        changes=audit.changes,
        undone=audit.segments_undone,
        touched=tuple(touched(audit)),
        access=tuple(each for segment in audit.batch for each in segment.access),
        indexes=tuple(each for segment in audit.batch for each in segment.indexes),
        destroyed=tuple(each for segment in audit.batch for each in segment.destroyed),
        messages=tuple(each for segment in audit.batch for each in segment.messages),
        coverage=coverage(audit),
        counts=counts_told(audit),
        destroyed_told=destroyed_told(audit),
        matrix=access_matrix(
            (each for segment in audit.batch for each in segment.access),
            (each for segment in audit.batch for each in segment.access_kept),
        ),
        now=now_told(audit),
        rows=rows_of(audit),
        looked_s=audit.production.looked_s,
    )


def touched(audit: Audit) -> list[TouchedRelation]:
    """The relations that a batch locks, the strongest lock first."""
    strongest: dict[str, tuple[str, str]] = {}
    for lock in (lock for segment in audit.batch for lock in segment.locks):
        known = strongest.get(lock.relation)
        if known is None or strength(lock.mode) > strength(known[0]):
            strongest[lock.relation] = (lock.mode, lock.step)
    done = _Done.by(audit)
    found = [
        TouchedRelation(
            relation=relation,
            mode=mode,
            step=step,
            waits=who_waits(mode),
            done=tuple(done.to(relation)),
        )
        for relation, (mode, step) in strongest.items()
    ]
    return sorted(found, key=lambda each: (-strength(each.mode), each.relation))


def who_waits(mode: str) -> str:
    """Who waits for a lock: https://www.postgresql.org/docs/16/explicit-locking.html."""
    if strength(mode) >= _READERS_WAIT:
        return "readers and writers"
    return "writers" if strength(mode) >= _WRITERS_WAIT else ""


def told(change: ChangeRecord) -> str:
    """Before and after in a few words, as a difference is told everywhere."""
    if change.change == CHANGED:
        return before_and_after(change.before, change.after)
    return shortened(change.before or change.after)


def access_told(access: AccessRecord) -> str:
    """``SELECT, INSERT: nothing → all rows``."""
    return f"{access.commands}: {access.before or 'nothing'} → {access.after or 'nothing'}"


def batch_lines(audit: Audit, most: int = _MOST) -> list[str]:
    """For the terminal: no more than ``most`` lines of each kind; the rest is in the report."""
    head = [line for each in plan_head(audit) for line in _headed(*each, most)]
    if not has_batch(audit):
        return head
    return [
        *head,
        *_headed("objects", counts_told(audit), change_lines(audit), most),
        *_headed("access", "", access_lines(audit), most),
        *_headed("locks", "", lock_lines(audit, now_told(audit)), most),
        *_clone_lines(audit, most),
        *_headed("destroys", "", destroyed_lines(audit, rows_of(audit)), most),
        *_headed("way back", "", audit.way_back, most),
        *_headed("said", "", message_lines(audit), 3),
        f"  {'coverage':<9} {coverage(audit)}",
    ]


def has_batch(audit: Audit) -> bool:
    """Whether anything was applied to a copy."""
    return any(
        (c.measured, c.parsed, c.unjudged) != (0, 0, ()) for c in (e.coverage for e in audit.batch)
    )


def coverage(audit: Audit) -> str:
    """How many statements were measured, how many judged by the parser, and which were not."""
    each = [segment.coverage for segment in audit.batch]
    unjudged = [step for coverage in each for step in coverage.unjudged]
    said = (
        f"{plural(sum(c.measured for c in each), 'statement')} measured,"
        f" {sum(c.parsed for c in each):,} judged by the parser, {len(unjudged):,} not judged"
    )
    return said + (f": {', '.join(unjudged)}" if unjudged else "")


def counts_told(audit: Audit) -> str:
    """``2 made, 1 dropped``, and of what is not in the database, that it was the copy's."""
    inside = audit.segments_in
    unknown = audit.run.outcome is RunOutcome.UNKNOWN
    alone = "on the copy; whether it is in is not known" if unknown else "on the copy alone"
    parts = []
    for is_in in (True, False):
        of = (each.change for each in audit.changes if (each.segment in inside) is is_in)
        counts: Counter[str] = Counter(of)
        if said := ", ".join(f"{counts[word]:,} {word}" for word in _MARKS if counts[word]):
            parts.append(said if is_in else f"{said} {alone}")
    return "; ".join(parts) or "none changed"


def change_lines(audit: Audit) -> Iterator[str]:
    """Each object that is made, changed or dropped; of a part that is in, what is not is marked."""
    undone = audit.segments_undone
    for change in audit.changes:
        about = told(change)
        between = ": " if change.change == CHANGED else " "
        shown = f"({about})" if about and change.change != CHANGED else about
        told_of = f"{_MARKS[change.change]} {change.kind} {change.object}{between}{shown}".rstrip()
        yield f"{told_of} (not applied)" if change.segment in undone else told_of


def access_lines(audit: Audit) -> Iterator[str]:
    """Each role, relation and command for which something else is allowed than before."""
    for access in (each for segment in audit.batch for each in segment.access):
        yield f"{access.role} on {access.relation}: {access_told(access)}"


def lock_lines(audit: Audit, now: Mapping[str, str]) -> Iterator[str]:
    """Each lock with what ``now`` tells of its relation; what nobody waits for is counted."""
    weak = 0
    for each in touched(audit):
        if not each.waits and not each.done:
            weak += 1
            continue
        waits = f"{each.waits} wait" if each.waits else "nobody waits"
        there = f" ({now[each.relation]})" if each.relation in now else ""
        done = "".join(f"; {done}" for done in each.done)
        yield f"{each.relation}{there}: {each.mode}, {waits}{done}"
    if weak:
        yield f"weaker ones, for which no reader or writer waits, on {plural(weak, 'relation')}"


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What a batch does besides locking: the relations that it rewrites or writes rows of, how
    often it reads each, and how many indexes of each it builds."""

    rewritten: frozenset[str]
    written: frozenset[str]
    reads: Counter[str]
    built: Counter[str]

    @classmethod
    def by(cls, audit: Audit) -> _Done:
        segments, reads = audit.batch, Counter[str]()
        for scan in (scan for each in segments for scan in each.scans):
            reads[scan.relation] += scan.count
        return cls(
            rewritten=frozenset(one for each in segments for one in each.rewritten),
            written=frozenset(
                lock.relation for each in segments for lock in each.locks if lock.mode == _WRITES
            ),
            reads=reads,
            built=Counter(index.table for each in segments for index in each.indexes),
        )

    def to(self, relation: str) -> Iterator[str]:
        if relation in self.rewritten:
            yield "rewritten, all rows"
        if relation in self.written:
            yield "rows of it are written, the copy cannot tell how many"
        if reads := self.reads[relation]:
            yield f"scanned in full {'once' if reads == 1 else f'{reads:,} times'}"
        if built := self.built[relation]:
            yield f"{plural(built, 'index')} built"


def destroyed_lines(audit: Audit, rows: Mapping[str, str]) -> Iterator[str]:
    """What is dropped or emptied, with what ``rows`` tells of its relation."""
    for each in (each for segment in audit.batch for each in segment.destroyed):
        there = f", where there are {rows[each.relation]}" if each.relation in rows else ""
        yield f"{each.kind} {each.object} is {each.how}{there}"


def destroyed_told(audit: Audit) -> str:
    """``2 tables, 1 column``."""
    kinds = Counter(each.kind for segment in audit.batch for each in segment.destroyed)
    return ", ".join(plural(count, kind) for kind, count in kinds.items())


def message_lines(audit: Audit) -> Iterator[str]:
    """What the server said, the first line of each."""
    for each in (each for segment in audit.batch for each in segment.messages):
        yield f"{each.level} at {each.step}: {each.text.partition(chr(10))[0]}"


def _clone_lines(audit: Audit, most: int) -> list[str]:
    if audit.clone is None:
        return []
    return _headed("clone", clone_summary(audit.clone), clone_lines(audit.clone), most)


def _headed(name: str, head: str, lines: Iterable[str], most: int) -> list[str]:
    """The lines of one kind, below a head or beside it."""
    known: Sequence[str] = list(lines)
    if not known and not head:
        return []
    shown = [*known[:most], *[f"… and {len(known) - most:,} more"] * (len(known) > most)]
    rows = [
        no_command(row)
        for each in ([head] * bool(head), shown)
        for text in each
        for row in visible(text).splitlines()
    ]
    return [f"  {name if not at else '':<9} {row}" for at, row in enumerate(rows)]
