"""The rollback files of a project: which migration each undoes, and how far down they reach."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.steps import file_step
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.layouts.undone import undone_by

ROUND_TRIP = "round-trip"
BATCH = "batch"
NEEDED = "rollback"
DESTROYS = "rollback-destroys"
Proved = Callable[[Sequence[SqlFile]], Collection[str]]
"""Of these rollback files, the paths of those that were proved as they are, in an earlier run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackLink:
    """A migration and the file that undoes it. ``proved``: an earlier run has seen it do so."""

    migration: SqlFile
    rollback: SqlFile
    pending: bool
    proved: bool = False

    @property
    def begins(self) -> str:
        """The path of what is applied first of the migration."""
        return self.migration.steps[0].path


@dataclass(frozen=True, kw_only=True)
class Rollbacks:
    """How far one can go back from the newest migration, link by link, and what ends the way.

    ``floor`` is the migration that cannot be undone: it says so, or has no rollback file.
    ``stranded`` are rollback files of this batch below a migration that should have one.
    """

    links: tuple[RollbackLink, ...] = ()
    floor: SqlFile | None = None
    stranded: tuple[SqlFile, ...] = ()
    unreachable: tuple[SqlFile, ...] = ()
    lacking: tuple[SqlFile, ...] = ()
    irreversible: tuple[SqlFile, ...] = ()
    whole_batch: bool = False

    @cached_property
    def ends(self) -> frozenset[str]:
        """The migrations at which the way down ends: what is there before each of them counts.
        One that runs in parts is begun by the first of them."""
        return frozenset(
            links[-1].begins
            for pending in (True, False)
            if (links := [link for link in self.links if link.pending is pending])
            and not (pending and self.whole_batch)
        )

    @property
    def files(self) -> tuple[SqlFile, ...]:
        return (*(link.rollback for link in self.links), *self.stranded)

    def steps(self, segment: int) -> Iterator[Step]:
        """One for each file that is to be proved, for each migration that has none and needs one
        or says why not, and one for the batch as a whole."""
        for file in (*self.lacking, *self.irreversible):
            yield _step(file, NEEDED, segment)
        for link in self.links:
            if not link.proved:
                yield _step(link.rollback, ROUND_TRIP, segment)
        for file in self.stranded:
            yield _step(file, ROUND_TRIP, segment)
        if self.whole_batch:
            identity = f"rollback::{BATCH}"
            yield Step(
                id=identity, phase=Phase.VERIFY, kind=Kind.ROLLBACK, name=BATCH, segment=segment
            )


NO_ROLLBACKS = Rollbacks()


def misfits(migrations: Iterable[SqlFile], rollbacks: Iterable[str]) -> list[SqlFileError]:
    """Rollback files, by path, that undo nothing, or what says that nothing undoes it."""
    by_rollback = {file.rollback: file for file in migrations}
    found = []
    for path in rollbacks:
        migration = by_rollback.get(path)
        if migration is None:
            found.append(
                SqlFileError(
                    f"{path} undoes nothing: there is no {undone_by(path)}",
                    why="nobody could tell which migration it takes back, and it would never run",
                    fix="give it the name of its migration, or remove it",
                )
            )
        elif migration.irreversible:
            found.append(
                SqlFileError(
                    f"{path} undoes {migration.path}, which says that it is irreversible"
                    f" ({migration.irreversible})",
                    why="only one of the two can be true",
                    fix="remove the rollback file, or the header of the migration",
                )
            )
    return found


def rollbacks_of(
    migrations: Sequence[SqlFile],
    rollbacks: Iterable[SqlFile],
    pending: Sequence[SqlFile],
    *,
    required: bool,
    proved: Proved,
) -> Rollbacks:
    """How far back the rollback files lead, from the newest of ``migrations`` (in order) on.

    ``pending`` are all files of the batch. What was applied before and was proved as it is needs
    no proof again; it is walked through where something below it does. ``required`` says that
    each migration of the batch needs a rollback file, or a reason why it has none.
    """
    by_path = {file.path: file for file in rollbacks}
    waiting = frozenset(file.path for file in pending)
    new = [file for file in migrations if file.path in waiting]
    way, floor = _way_down(migrations, by_path, waiting)
    stranded, unreachable = _beyond(migrations, by_path, floor, waiting)
    return Rollbacks(
        links=_to_prove(way, proved),
        floor=floor,
        stranded=stranded,
        unreachable=unreachable,
        lacking=tuple(
            file
            for file in new
            if required and file.rollback not in by_path and not file.irreversible
        ),
        irreversible=tuple(file for file in new if file.irreversible),
        whole_batch=bool(by_path and waiting)
        and {link.migration.path for link in way} >= {file.path for file in new}
        and not any(file.irreversible for file in pending),
    )


def _way_down(
    migrations: Sequence[SqlFile], by_path: Mapping[str, SqlFile], waiting: Collection[str]
) -> tuple[list[RollbackLink], SqlFile | None]:
    """From the newest migration down to the first that cannot be undone, which is the floor."""
    way: list[RollbackLink] = []
    for migration in reversed(migrations):
        rollback = by_path.get(migration.rollback)
        if rollback is None or migration.irreversible:
            return way, migration
        pending = migration.path in waiting
        way.append(RollbackLink(migration=migration, rollback=rollback, pending=pending))
    return way, None


def _to_prove(way: Sequence[RollbackLink], proved: Proved) -> tuple[RollbackLink, ...]:
    """The way as far down as something has still to be proved."""
    known = proved([link.rollback for link in way if not link.pending])
    links = [replace(link, proved=link.rollback.path in known) for link in way]
    while links and links[-1].proved:
        links.pop()
    return tuple(links)


def _beyond(
    migrations: Sequence[SqlFile],
    by_path: Mapping[str, SqlFile],
    floor: SqlFile | None,
    waiting: Collection[str],
) -> tuple[tuple[SqlFile, ...], tuple[SqlFile, ...]]:
    """The rollback files below the floor that should have been reached, and those that cannot be.

    A floor of this batch that merely lacks a file strands what the batch has below it.
    """
    if floor is None:
        return (), ()
    place = next(i for i, file in enumerate(migrations) if file.path == floor.path)
    below = [by_path[file.rollback] for file in migrations[:place] if file.rollback in by_path]
    missed = floor.path in waiting and not floor.irreversible
    stranded = tuple(each for each in below if missed and each.undoes in waiting)
    return stranded, tuple(each for each in below if each not in stranded)


def _step(file: SqlFile, name: str, segment: int) -> Step:
    return file_step(file, name, Phase.VERIFY, kind=Kind.ROLLBACK, segment=segment)
