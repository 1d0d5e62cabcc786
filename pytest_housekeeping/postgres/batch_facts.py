"""What a batch does to a database, as it was measured: objects, locks, rewrites, scans, access."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.model import ServerMessage

# From the weakest to the one that keeps everybody out.
# https://www.postgresql.org/docs/16/explicit-locking.html#LOCKING-TABLES
LOCK_MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
# Which of the others each conflicts with, from the table of the same page.
_CONFLICTS = {
    "AccessShareLock": (7,),
    "RowShareLock": (6, 7),
    "RowExclusiveLock": (4, 5, 6, 7),
    "ShareUpdateExclusiveLock": (3, 4, 5, 6, 7),
    "ShareLock": (2, 3, 5, 6, 7),
    "ShareRowExclusiveLock": (2, 3, 4, 5, 6, 7),
    "ExclusiveLock": (1, 2, 3, 4, 5, 6, 7),
    "AccessExclusiveLock": (0, 1, 2, 3, 4, 5, 6, 7),
}
MADE, CHANGED, DROPPED = "made", "changed", "dropped"
EMPTIED = "emptied"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectChange:
    """An object that was made, changed or dropped: its texts of before and after.

    ``rewrites``: the table that it is, or belongs to, was written anew; ``lock`` is the strongest
    one on that table. Of what came or went with another object, only that one is told.
    """

    object: str
    kind: str
    change: str
    before: str = ""
    after: str = ""
    rewrites: bool = False
    lock: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenLock:
    """A lock on a relation that stood before, held to COMMIT, and the step that took it first.

    ``step`` is "" for what is taken when all files are applied, by a deferred trigger, say.
    """

    relation: str
    mode: str
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TableScan:
    """A step has read a table that stood before from end to end, so many times."""

    relation: str
    count: int
    step: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexBuild:
    """An index that was built from the rows of a table that stood before."""

    index: str
    table: str
    rebuilt: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Destroyed:
    """Data that are gone: a table or a column that was dropped, a table that was emptied.

    ``relation`` is the table, by its name before the batch.
    """

    kind: str
    object: str
    how: str
    relation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Renamed:
    """A table or a column that has got another name."""

    kind: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessChange:
    """What a role may do with the rows of a relation, before and after; "" is nothing at all."""

    role: str
    relation: str
    commands: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMessage:
    """What the server said while a step ran."""

    step: str
    message: ServerMessage


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How many statements were ``measured``, and how many the parser alone has judged, for they
    run outside of a transaction; ``unjudged`` are the steps whose locks nobody knows."""

    measured: int = 0
    parsed: int = 0
    unjudged: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchFacts:
    """What the batch of one segment does. Relations bear the names that they had before it."""

    segment: int
    changes: tuple[ObjectChange, ...] = ()
    locks: tuple[TakenLock, ...] = ()
    rewritten: tuple[str, ...] = ()
    scans: tuple[TableScan, ...] = ()
    indexes: tuple[IndexBuild, ...] = ()
    destroyed: tuple[Destroyed, ...] = ()
    renamed: tuple[Renamed, ...] = ()
    access: tuple[AccessChange, ...] = ()
    access_kept: tuple[AccessChange, ...] = ()
    messages: tuple[StepMessage, ...] = ()
    coverage: Coverage = Coverage()

    @property
    def strongest(self) -> dict[str, TakenLock]:
        """Of each relation the strongest lock, by relation."""
        found: dict[str, TakenLock] = {}
        for lock in self.locks:
            known = found.get(lock.relation)
            if known is None or strength(lock.mode) > strength(known.mode):
                found[lock.relation] = lock
        return dict(sorted(found.items()))


def strength(mode: str) -> int:
    """How strong a lock is, from 0 on; of a mode that is not known, the strongest is assumed."""
    return LOCK_MODES.index(mode) if mode in LOCK_MODES else len(LOCK_MODES)


def conflicting(mode: str) -> tuple[str, ...]:
    """The modes in which nobody else may hold a relation that is to be locked in this one."""
    return tuple(LOCK_MODES[each] for each in _CONFLICTS[mode])
