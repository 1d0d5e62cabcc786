"""What the batch of a segment has done to the copy, put together from what was measured there.

Every copy is empty, or nearly so: what is measured here does not depend on rows. How long anything
takes does, and is not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from pytest_housekeeping.model import Applied, Lock, Step
from pytest_housekeeping.postgres import standing_relations as standing
from pytest_housekeeping.postgres.batch_facts import (
    CHANGED,
    DROPPED,
    MADE,
    BatchFacts,
    Coverage,
    ObjectChange,
    StepMessage,
    TableScan,
    TakenLock,
    strength,
)
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.standing_relations import Relations, read_standing
from pytest_housekeeping.postgres.table_access import (
    TableAccess,
    access_changes,
    access_kept,
    read_access,
)
from pytest_housekeeping.snapshot.compare.batches import SchemaChange
from pytest_housekeeping.snapshot.compare.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.object_kind import RELATIONS, kind_and_name
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.outside_locks import MODE, outside_locks
from pytest_housekeeping.sql.parse import parsed

_BECAME = {Change.ADDED: MADE, Change.CHANGED: CHANGED, Change.REMOVED: DROPPED}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What stands, and who may do what with it."""

    relations: Relations
    access: TableAccess


def look_at(connection: Connection, history_schema: str) -> Moment:
    """The database as it is now, without the tool's own tables."""
    return Moment(
        relations=read_standing(connection, but=history_schema),
        access=read_access(connection, but=history_schema),
    )


@dataclass(kw_only=True)
class Measurement:
    """What is gathered while the files of a segment are applied; ``before`` was seen before them.

    ``history_schema`` holds the tool's own tables, of which nothing is told.
    """

    segment: int
    before: Moment
    history_schema: str
    _locks: list[TakenLock] = field(default_factory=list)
    _scans: list[TableScan] = field(default_factory=list)
    _messages: list[StepMessage] = field(default_factory=list)
    _reads: Counter[str] = field(default_factory=Counter)
    _truncated: set[str] = field(default_factory=set)
    _unclear: set[str] = field(default_factory=set)
    _measured: int = 0
    _parsed: int = 0
    _unjudged: list[str] = field(default_factory=list)

    def applied(self, step: Step, file: SqlFile, text: str, done: Applied) -> None:
        """A file was applied, and this is what it did."""
        if file.transaction == "none":
            self._outside(step, text)
            return
        self._measured += done.statements
        self._note_locks(done.locks, step.id)
        self._scans += [
            TableScan(relation=scan.relation, count=scan.count, step=step.id)
            for scan in done.scans
            if scan.count and not self._is_ours(scan.relation)
        ]
        for scan in done.scans:
            self._reads[scan.relation] += scan.count
            if scan.by_index:  # as CLUSTER may do it
                self._unclear.add(scan.relation)
        self._messages += [StepMessage(step=step.id, message=each) for each in done.messages]
        self._truncated |= {name for each in _truncated_in(text) for name in self._named(each)}

    def facts_seen(
        self,
        opened: Callable[[], AbstractContextManager[Connection]],
        change: SchemaChange,
        late: Iterable[Lock],
    ) -> BatchFacts:
        """The same of a segment that is in the database, which a session is opened to look at."""
        with opened() as connection:
            return self.facts(change, look_at(connection, self.history_schema), late)

    def facts(self, change: SchemaChange, after: Moment, late: Iterable[Lock]) -> BatchFacts:
        """All of it, when the segment is applied; ``late`` are the locks that came behind its
        files. Those of reading are the tool's own: it reads the schema."""
        self._note_locks((lock for lock in late if strength(lock.mode) > 0), "")
        old, new = self.before.relations, after.relations
        empty = standing.emptied(
            old, new, self._reads, named=self._truncated, unclear=self._unclear
        )
        before, now = self.before.access, after.access
        access = access_changes(before, now)
        facts = BatchFacts(
            segment=self.segment,
            locks=tuple(self._locks),
            rewritten=standing.rewritten(old, new, empty),
            scans=tuple(self._scans),
            indexes=standing.built_indexes(old, new, empty),
            destroyed=standing.destroyed(old, new, empty),
            renamed=standing.renamed(old, new),
            access=access,
            access_kept=access_kept(before, now, access),
            messages=tuple(self._messages),
            coverage=Coverage(
                measured=self._measured, parsed=self._parsed, unjudged=tuple(self._unjudged)
            ),
        )
        return _with_changes(facts, change)

    def _outside(self, step: Step, text: str) -> None:
        """Nobody can look at the locks of a file that no transaction holds: its text is judged."""
        # VACUUM FULL writes tables anew, and nobody sees how often it reads them.
        self._unclear |= {each.name for each in self.before.relations.values()}
        found = outside_locks(text)
        if found is None:
            self._unjudged.append(step.id)
            return
        self._parsed += 1
        for lock in found:
            for relation in self._named(lock.name):
                self._locks.append(TakenLock(relation=relation, mode=MODE, step=step.id))
                if lock.scans:
                    scan = TableScan(relation=relation, count=lock.scans, step=step.id)
                    self._scans.append(scan)

    def _note_locks(self, locks: Iterable[Lock], step: str) -> None:
        self._locks += [
            TakenLock(relation=lock.relation, mode=lock.mode, step=step)
            for lock in locks
            if not self._is_ours(lock.relation)
        ]

    def _named(self, typed: Sequence[str]) -> Iterator[str]:
        """The tables that a name as it was typed stands for, or whose index it is."""
        name, stands = quoted(*typed), self.before.relations
        for each in stands.values():
            if each.name == name or (len(typed) == 1 and each.name.endswith(f".{name}")):
                yield stands[each.belongs_to].name if each.kind == "i" else each.name

    def _is_ours(self, relation: str) -> bool:
        return relation.startswith(f"{quoted(self.history_schema)}.")


def _truncated_in(text: str) -> Iterator[tuple[str, ...]]:
    for statement in parsed(text):
        if statement.name == "TruncateStmt":
            for each in statement.body.get("relations", ()):
                node = each["RangeVar"]
                yield tuple(node[key] for key in ("schemaname", "relname") if node.get(key))


def _with_changes(facts: BatchFacts, change: SchemaChange) -> BatchFacts:
    """The facts, with the objects that were made, changed and dropped."""
    parents = {e.name: e.parent for s in (change.before, change.after) for e in s.entries}
    strongest = {name: lock.mode for name, lock in facts.strongest.items()}
    changes = tuple(
        _object_change(each, _relation_of(each.name, parents), facts.rewritten, strongest)
        for each in diff(change.before, change.after, through_schemas=True)
    )
    return replace(facts, changes=changes)


def _object_change(
    difference: Difference, relation: str, rewritten: Sequence[str], strongest: dict[str, str]
) -> ObjectChange:
    kind, name = kind_and_name(difference.name)
    return ObjectChange(
        object=name,
        kind=kind,
        change=_BECAME[difference.change],
        before=difference.before,
        after=difference.after,
        rewrites=relation in rewritten,
        lock=strongest.get(relation, ""),
    )


def _relation_of(name: str, parents: dict[str, str]) -> str:
    """The relation that an object is, or belongs to, by its name; "" where there is none."""
    while name:
        kind, rest = kind_and_name(name)
        if kind in RELATIONS:
            return rest
        name = parents.get(name, "")
    return ""
