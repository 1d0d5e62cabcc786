"""A batch that met somebody else's lock: all of it is let go, and tried again after a pause.

While it pauses nothing of it is locked, and whoever has queued behind it goes on. The pauses grow,
and are of no two promotions the same.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import psycopg

from pytest_housekeeping.errors import HousekeepingError, LeftBehind, SqlFailed
from pytest_housekeeping.model import Step
from pytest_housekeeping.postgres.locks.in_the_way import Blocker, holders_of
from pytest_housekeeping.postgres.locks.requests import LockNotHad
from pytest_housekeeping.promotion.progress import Progress, described
from pytest_housekeeping.promotion.target_connection import TargetConnection

# lock_not_available, deadlock_detected, serialization_failure: another attempt may succeed.
_PASSING = ("55P03", "40P01", "40001")
# GRANT, COMMENT and ALTER ROLE lock no more than a row of a catalog, roles for the whole server;
# where somebody else has changed it meanwhile, PostgreSQL says so as an internal error, which is
# not translated.
_OVERTAKEN = ("XX000", "tuple concurrently ")
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_JITTER = (0.5, 1.5)
Made = TypeVar("Made")
Work: TypeAlias = Callable[[], Made]


class LetGo(Protocol):
    """Rolls back, and knows afterwards what was in the batch, if its files are to be kept."""

    def __call__(self, *, keep_files: bool = False) -> None: ...


@dataclass
class LockAttempts:
    """The attempts at one segment, ``most`` at the most; ``made`` counts those that failed."""

    most: int
    progress: Progress
    connection: TargetConnection
    made: int = 0

    def had(self, step: Step | None, first: Work[Made], again: Work[Made], let_go: LetGo) -> Made:
        """What is done ``first``, or ``again`` once more after each lock that it met.

        Where it is not done, everything is let go; nothing was committed, so nothing is lost by
        beginning anew. Raises SqlFailed: the last refusal, or at once one that another attempt does
        not change, and any that comes where there is no ``step`` to begin anew with.
        """
        work = first
        while True:
            try:
                return work()
            except SqlFailed as error:
                let_go(keep_files=step is not None)
                if step is None or not _passes(error):
                    raise
                self._pause(step, error)
                work = again
            except HousekeepingError:
                let_go()
                raise

    def _pause(self, step: Step, error: SqlFailed) -> None:
        """Before the next attempt. Raises SqlFailed where there is none."""
        self.made += 1
        holders = described(self._holders(error))
        met = self.progress.conflict(step, self.made, self.most, error.found, in_the_way=holders)
        if self.made < self.most:
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self.made)
            time.sleep(pause * random.uniform(*_JITTER))  # noqa: S311
            return
        seen = "".join(f"\nin its way: {each}" for each in met.in_the_way)
        raise SqlFailed(
            f"{error.found}\nthe batch was tried {self.made} times{seen}",
            why="somebody else holds what the batch needs",
            fix="look at pg_stat_activity for long transactions, and promote at a quieter time",
        )

    def _holders(self, error: SqlFailed) -> tuple[Blocker, ...]:
        """Who holds what was asked for: nobody waits for it any more, so nobody can be seen to."""
        opened = self.connection.opened
        if not isinstance(error, LockNotHad) or opened is None or opened.closed:
            return ()
        try:
            return holders_of(opened, error.wanted)
        except psycopg.Error:
            return ()  # the next attempt finds out what is wrong with the connection


def _passes(error: SqlFailed) -> bool:
    """Whether another attempt may succeed, and nothing was left behind by this one."""
    state, said = _OVERTAKEN
    overtaken = error.sqlstate == state and said in error.found
    return (error.sqlstate in _PASSING or overtaken) and not isinstance(error, LeftBehind)
