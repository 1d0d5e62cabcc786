"""The rollback files of a project: which migration each undoes, and how far down they reach."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.plan.steps import file_step
from pytest_housekeeping.sql.file import FOLDERS, SqlFile

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
        """The migrations at which the way down ends: what is there before each of them counts."""
        return frozenset(
            links[-1].migration.path
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


def migration_of(path: str) -> str:
    """The path of the migration that a rollback file undoes; any other path is its own."""
    folder, _, name = path.rpartition("/")
    top, _, last = folder.rpartition("/")
    return f"{top}/{FOLDERS[Kind.MIGRATION]}/{name}" if last == FOLDERS[Kind.ROLLBACK] else path


def rollback_of(path: str) -> str:
    """The path of the file that would undo a migration."""
    folder, _, name = path.rpartition("/")
    return f"{folder.rpartition('/')[0]}/{FOLDERS[Kind.ROLLBACK]}/{name}"


def misfits(migrations: Iterable[SqlFile], rollbacks: Iterable[str]) -> list[SqlFileError]:
    """Rollback files, by path, that undo nothing, or what says that nothing undoes it."""
    by_path = {file.path: file for file in migrations}
    found = []
    for path in rollbacks:
        migration = by_path.get(migration_of(path))
        if migration is None:
            found.append(
                SqlFileError(
                    f"{path} undoes nothing: there is no {migration_of(path)}",
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
    by_name = {file.name: file for file in rollbacks}
    waiting = frozenset(file.path for file in pending)
    new = [file for file in migrations if file.path in waiting]
    way, floor = _way_down(migrations, by_name, waiting)
    stranded, unreachable = _beyond(migrations, by_name, floor, waiting)
    return Rollbacks(
        links=_to_prove(way, proved),
        floor=floor,
        stranded=stranded,
        unreachable=unreachable,
        lacking=tuple(
            file for file in new if required and file.name not in by_name and not file.irreversible
        ),
        irreversible=tuple(file for file in new if file.irreversible),
        whole_batch=bool(by_name and waiting)
        and {link.migration.path for link in way} >= {file.path for file in new}
        and not any(file.irreversible for file in pending),
    )


def _way_down(
    migrations: Sequence[SqlFile], by_name: Mapping[str, SqlFile], waiting: Collection[str]
) -> tuple[list[RollbackLink], SqlFile | None]:
    """From the newest migration down to the first that cannot be undone, which is the floor."""
    way: list[RollbackLink] = []
    for migration in reversed(migrations):
        rollback = by_name.get(migration.name)
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
    by_name: Mapping[str, SqlFile],
    floor: SqlFile | None,
    waiting: Collection[str],
) -> tuple[tuple[SqlFile, ...], tuple[SqlFile, ...]]:
    """The rollback files below the floor that should have been reached, and those that cannot be.

    A floor of this batch that merely lacks a file strands what the batch has below it.
    """
    if floor is None:
        return (), ()
    place = next(i for i, file in enumerate(migrations) if file.path == floor.path)
    below = [by_name[file.name] for file in migrations[:place] if file.name in by_name]
    missed = floor.path in waiting and not floor.irreversible
    stranded = tuple(each for each in below if missed and migration_of(each.path) in waiting)
    return stranded, tuple(each for each in below if each not in stranded)


def _step(file: SqlFile, name: str, segment: int) -> Step:
    return file_step(file, name, Phase.VERIFY, kind=Kind.ROLLBACK, segment=segment)
