"""What is judged: what the batch of a segment did to the copy, and the schema before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from pytest_housekeeping.postgres.batch_facts import (
    CHANGED,
    DROPPED,
    MADE,
    BatchFacts,
    ObjectChange,
    TableScan,
    TakenLock,
    strength,
)
from pytest_housekeeping.sql.header import Acceptance
from pytest_housekeeping.sql.parse import Statement, extents, parsed

Worked = TypeVar("Worked")
EXCLUSIVE = "AccessExclusiveLock"
WRITING = "RowExclusiveLock"


@dataclass(frozen=True, kw_only=True)
class PlannedFile:
    """A file of the segment: the id of its step, where it is, and its text.

    ``accepts`` are the findings that it lets stand. Of one that is ``decided``, somebody has said
    what becomes of data that it destroys: there is a rollback file, or it says why there is none.
    """

    step: str
    path: str
    text: str
    accepts: tuple[Acceptance, ...] = ()
    decided: bool = False

    @cached_property
    def texts(self) -> Sequence[str]:
        """The texts of the statements, in lower case."""
        pairs = extents(self.statements, self.text)
        return [self.text[each.offset : end].lower() for each, end in pairs]

    @cached_property
    def statements(self) -> Sequence[Statement]:
        """None of a text that PostgreSQL's parser refuses: that one has failed already."""
        return parsed(self.text)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One segment. It is what it is: what is worked out of it once is kept for it (`once`).

    ``before`` and ``after`` are the texts of the objects by kind and name.

    ``published`` has the publications of each table that is in one; ``slow`` are the relations that
    are not read in a moment; ``window`` is how many statements may follow a lock that everybody
    waits for.
    """

    facts: BatchFacts
    files: tuple[PlannedFile, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    window: int = 10

    @cached_property
    def strongest(self) -> Mapping[str, TakenLock]:
        """Of each relation the strongest lock, by relation."""
        return self.facts.strongest

    @cached_property
    def rewritten(self) -> frozenset[str]:
        """The relations that were rewritten."""
        return frozenset(self.facts.rewritten)

    def changes(self, kind: str, change: str) -> Iterator[ObjectChange]:
        """The objects of a kind that were made, changed or dropped."""
        yield from (e for e in self.facts.changes if (e.kind, e.change) == (kind, change))

    def made(self, kind: str) -> Iterator[ObjectChange]:
        """The objects of a kind that were made and belong to what stood before."""
        yield from self.changes(kind, MADE)

    def changed(self, kind: str) -> Iterator[ObjectChange]:
        """The objects of a kind that are other than before."""
        yield from self.changes(kind, CHANGED)

    def dropped(self, kind: str) -> Iterator[ObjectChange]:
        """The objects of a kind that are gone, and not with what they belonged to."""
        yield from self.changes(kind, DROPPED)

    @cached_property
    def scans(self) -> Mapping[str, int]:
        """How often each table was scanned in full."""
        found: dict[str, int] = {}
        for scan in self.facts.scans:
            found[scan.relation] = found.get(scan.relation, 0) + scan.count
        return found

    @cached_property
    def now_called(self) -> Mapping[str, str]:
        """By the names of before, those of after, of relations that have got another one."""
        return {e.before: e.after for e in self.facts.renamed if e.kind == "table"}

    @cached_property
    def once_called(self) -> Mapping[str, str]:
        """The other way round: the names of before by those of after."""
        return {after: before for before, after in self.now_called.items()}

    def root_of(self, relation: str) -> str:
        """The table that a partition is a part of in the end; another relation itself."""
        text = self.before.get(f"table {relation}", "")
        above = line(text, "inherits") if line(text, "bound") else ""
        return self.root_of(above) if above else relation

    def path_of(self, step: str) -> str:
        """The file of a step; "" for what ran when all was applied."""
        return next((file.path for file in self.files if file.step == step), "")

    def stood_as(self, relation: str) -> str:
        """What a relation was called before the segment, by what it is called after it."""
        return self.once_called.get(relation, relation)

    def mode(self, relation: str) -> str:
        """The strongest lock on a relation; "" where it got none."""
        lock = self.strongest.get(relation)
        return lock.mode if lock else ""

    def locked(self, relation: str, mode: str) -> bool:
        """Whether a relation got a lock of this mode, or a stronger one."""
        held = self.mode(relation)
        return bool(held) and strength(held) >= strength(mode)

    def step_of(self, relation: str) -> str:
        """The step that took the strongest lock on a relation."""
        lock = self.strongest.get(relation)
        return lock.step if lock else ""

    def reader_of(self, relation: str) -> str:
        """The step that read a relation most often."""
        scan = self._most_read.get(relation)
        return scan.step if scan else self.step_of(relation)

    @cached_property
    def _most_read(self) -> Mapping[str, TableScan]:
        found: dict[str, TableScan] = {}
        for scan in self.facts.scans:
            if scan.relation not in found or scan.count > found[scan.relation].count:
                found[scan.relation] = scan
        return found


def once(work: Callable[[Subject], Worked]) -> Callable[[Subject], Worked]:
    """A function of a subject, asked once for each."""
    known: WeakKeyDictionary[Subject, Worked] = WeakKeyDictionary()

    @wraps(work)
    def asked(subject: Subject) -> Worked:
        if subject not in known:
            known[subject] = work(subject)
        return known[subject]

    return asked


def line(text: str, key: str) -> str:
    """What stands behind ``key: `` in the text of an object; "" where it has no such line."""
    for each in text.splitlines():
        if each.startswith(f"{key}: "):
            return each[len(key) + 2 :]
    return ""


def has_line(text: str, said: str) -> bool:
    """Whether the text of an object has just this line."""
    return said in text.splitlines()


def split_last(name: str) -> tuple[str, str]:
    """``shop.orders.total`` → ``shop.orders`` and ``total``."""
    places = outside_quotes(name, ".")
    return (name[: places[-1]], name[places[-1] + 1 :]) if places else ("", name)


def table_of(column: str) -> str:
    """``shop.orders.total`` → ``shop.orders``."""
    return split_last(column)[0]


def split_on(name: str) -> tuple[str, str]:
    """``total_positive on shop.orders`` → its two halves, as constraints and triggers are named."""
    places = outside_quotes(name, " on ")
    return (name[: places[0]], name[places[0] + 4 :]) if places else (name, "")


def outside_quotes(name: str, part: str) -> list[int]:
    """Where a part of a name stands, and not inside of quotes."""
    starts = range(len(name) - len(part) + 1)
    return [at for at in starts if name.startswith(part, at) and name.count('"', 0, at) % 2 == 0]
