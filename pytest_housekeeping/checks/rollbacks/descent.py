"""Rollback files that only drop: proved by what each takes away, and what its migration adds.

On the way down it is noted what each takes away, on the way up what each migration adds. Where the
schema at the bottom is the same both times, and each migration adds what its rollback file has
taken away, the schema before and behind each is the same both times: so the rollback file undoes
exactly its migration, and that makes the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, takewhile

from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.snapshot.fingerprint import SchemaObject
from pytest_housekeeping.snapshot.reading_again.incremental import FEW, Reading
from pytest_housekeeping.snapshot.reading_again.taken_away import Dwindling, TakenAway

# Of so many files it is worth a reading to note what they take away.
_WORTH = 3


@dataclass(kw_only=True)
class Descent:
    """Files that ran one after another, and what each has taken away, by its path, newest first."""

    dwindling: Dwindling
    taken: dict[str, TakenAway] = field(default_factory=dict)

    @cached_property
    def _bottom(self) -> frozenset[SchemaObject]:
        """What the last of them has left."""
        start = self.dwindling.start
        parts = chain(self.dwindling.each.values(), start.whole.values())
        return frozenset(chain.from_iterable(parts))

    def left(self, path: str, found: Reading) -> bool:
        """Whether this is the schema that the rollback file of this path has left."""
        paths = list(self.taken)
        lower = (self.taken[each].entries for each in paths[paths.index(path) + 1 :])
        return self._bottom.union(*lower) == frozenset(found.fingerprint.entries)


@dataclass(kw_only=True)
class Descents:
    """What is noted of all rollback files; ``begin`` reads the schema, and begins to note."""

    begin: Callable[[], Dwindling]
    of_file: dict[str, Descent] = field(default_factory=dict)
    _now: Descent | None = None
    _worthless: bool = False

    def before(self, links: Sequence[RollbackLink]) -> None:
        """The rollback files of these are still to run, in this order."""
        if self._now is None and not self._worthless:
            alike = takewhile(_only_drops, links[:_WORTH])
            if sum(1 for _ in alike) == _WORTH:
                self._now = Descent(dwindling=self.begin())

    def follow(self, link: RollbackLink) -> None:
        """The rollback file of the link has run."""
        descent = self._now
        if descent is None:
            return
        taken = descent.dwindling.next() if _only_drops(link) else None
        if taken is None:
            self._now, self._worthless = None, len(descent.taken) < _WORTH
        else:
            descent.taken[link.rollback.path] = taken
            self.of_file[link.rollback.path] = descent

    def end(self) -> None:
        """What runs now is no rollback file."""
        self._now = None

    def groups(self, links: Sequence[RollbackLink]) -> Iterator[list[RollbackLink]]:
        """The links, oldest first, those together that one reading is enough for.

        What tells of objects that others made has to be the first one.
        """
        group, objects = list[RollbackLink](), 0
        for link in links:
            descent = self.of_file.get(link.rollback.path)
            taken = descent.taken[link.rollback.path] if descent else None
            objects += taken.objects if taken else 0
            if group and (
                taken is None
                or descent is not self.of_file.get(group[0].rollback.path)
                or taken.near
                or 2 * objects > FEW
            ):
                yield group
                group, objects = [], taken.objects if taken else 0
            group.append(link)
        if group:
            yield group


def _only_drops(link: RollbackLink) -> bool:
    return link.migration.only_defines and link.rollback.only_drops
