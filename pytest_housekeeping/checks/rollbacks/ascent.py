"""Migrations applied again one after another, where it is known what undoing each took away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.checks.rollbacks.descent import Descents
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.snapshot.catalog.search import Written, counted
from pytest_housekeeping.snapshot.fingerprint import SchemaObject
from pytest_housekeeping.snapshot.problems import SnapshotError
from pytest_housekeeping.snapshot.reading_again.incremental import Reading
from pytest_housekeeping.snapshot.reading_again.made_in_turn import made_in_turn
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import without_concurrently

_GROUP = "SAVEPOINT hk_group"
_FILE = "SAVEPOINT hk_file"


@dataclass(kw_only=True)
class Ascent:
    """The way up; ``level`` is a schema that is as it was at this place on the way down."""

    transaction: Transaction
    read_text: Callable[[SqlFile], str]
    descents: Descents
    level: Reading | None = None

    def knows(self, links: Sequence[RollbackLink]) -> bool:
        """Whether it is known what their rollback files took away."""
        return links[0].rollback.path in self.descents.of_file

    def through(
        self, links: Sequence[RollbackLink], before: Reading, read: Callable[[], Reading]
    ) -> Reading | None:
        """The schema behind the migrations, where each adds what its rollback file took away.

        ``before`` it is known, and so is what they took away. None, and nothing done, where one
        adds anything else, does more, or is refused. ``read`` reads inside a savepoint.
        """
        path = links[0].rollback.path
        descent = self.descents.of_file[path]
        if before is not self.level and not descent.left(path, before):
            return None
        connection = self.transaction.connection
        connection.execute(_GROUP)
        taken = [descent.taken[link.rollback.path].entries for link in links]
        now = self._applied(links, before, taken, read)
        back = "" if now else f"ROLLBACK TO {_GROUP}; "
        connection.execute(f"{back}RELEASE {_GROUP}")
        return now

    def _applied(
        self,
        links: Sequence[RollbackLink],
        before: Reading,
        expected: Sequence[frozenset[SchemaObject]],
        read: Callable[[], Reading],
    ) -> Reading | None:
        # Who is given an id first has the lower one: the first file needs no savepoint of its own.
        written = [self._counted(before)]
        try:
            for place, link in enumerate(links, 1):
                text = without_concurrently(self.read_text(link.migration))
                self.transaction.apply(link.migration, text)
                first = f"RELEASE {_FILE}" if place > 1 else ""
                then = _FILE if place < len(links) else ""
                written.append(self._counted(before, first, then))
            now = read()
        except (SqlFailed, SnapshotError):
            return None
        return now if made_in_turn(before, now, written) == expected else None

    def _counted(self, before: Reading, first: str = "", then: str = "") -> Mapping[str, Written]:
        catalogs, connection = before.catalogs, self.transaction.connection
        return counted(connection, catalogs, first=first, then=then)
