"""What a run is doing, since when, and what it has met on the way: told to whoever waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pytest_housekeeping.evidence.report.display import duration, one_line, shortened
from pytest_housekeeping.model import LockConflict, Step
from pytest_housekeeping.postgres.locks.in_the_way import Blocker
from pytest_housekeeping.sql.password_literals import holds_password

_MOST_BLOCKERS = 3
_LENGTH = 120


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that takes its time. ``started`` is of the monotonic clock."""

    what: str
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)


class Progress:
    """One thread works, and says what it is ``doing``; another may look at it.

    ``tell`` takes lines for the terminal at once, and is put there by who has one;
    ``on_conflict`` is called with each lock conflict, and may raise EvidenceError.
    """

    def __init__(self) -> None:
        self.tell: Callable[[Sequence[str]], None] = lambda _: None
        self.on_conflict: Callable[[LockConflict], None] = lambda _: None
        self.conflicts: list[LockConflict] = []
        self._activities: list[Activity] = []
        self._seen: tuple[str, ...] = ()
        self._turn = threading.RLock()

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """This is what goes on until the end of the block; it may be a part of something else."""
        activity = Activity(what=what)
        with self._turn:
            self._activities.append(activity)
        try:
            yield
        finally:
            with self._turn:
                self._activities.remove(activity)
                self._seen = ()

    @property
    def activity(self) -> Activity | None:
        """What goes on now, the innermost."""
        with self._turn:
            return self._activities[-1] if self._activities else None

    def saw(self, activity: Activity, in_the_way: Sequence[str]) -> None:
        """Who stood in the way of an activity, if it still goes on."""
        with self._turn:
            if in_the_way and self.activity is activity:
                self._seen = tuple(in_the_way)

    def tell_of(self, activity: Activity, in_the_way: Sequence[str]) -> None:
        """A sign of life of an activity, if it still goes on.

        It ends only when this is told: nothing else is written to the terminal meanwhile.
        """
        with self._turn:
            if self.activity is activity:
                self.tell([still_at(activity), *(f"  in its way: {each}" for each in in_the_way)])

    def attempts_of(self, step: Step) -> list[str]:
        """At which attempt a step has come through, where it was not the first."""
        met = max((each.number for each in self.conflicts if each.step == step.id), default=0)
        return [f"applied at attempt {met + 1}"] if met else []

    def conflict(
        self, step: Step, number: int, most: int, found: str, *, in_the_way: tuple[str, ...] = ()
    ) -> LockConflict:
        """The batch met somebody else's lock for the ``number``-th time: told at once, and kept.

        Who was seen to be ``in_the_way`` meanwhile is told where nobody is known to be.
        """
        with self._turn:
            seen, self._seen = in_the_way or self._seen, ()
        conflict = LockConflict(
            step=step.id,
            number=number,
            at=datetime.now(UTC),
            found=found.partition("\n")[0],
            in_the_way=seen,
        )
        self.conflicts.append(conflict)
        then = "the batch begins again" if number < most else "given up"
        with self._turn:
            self.tell(
                [
                    f"attempt {number} of {most} at {step.id} met a lock, {then}: {conflict.found}",
                    *(f"  in its way: {each}" for each in seen),
                ]
            )
        self.on_conflict(conflict)
        return conflict


def still_at(activity: Activity) -> str:
    """``still at backup::proof, since 02:13:05 UTC (7 s)``."""
    seconds = int(time.monotonic() - activity.started)
    took = f"{seconds} s" if seconds < 60 else duration(seconds)
    return f"still at {activity.what}, since {activity.since:%H:%M:%S} UTC ({took})"


def described(blockers: Sequence[Blocker]) -> tuple[str, ...]:
    """A line for each of those who stand in the way, the longest transaction first."""
    lines = [_described(each) for each in blockers[:_MOST_BLOCKERS]]
    more = len(blockers) - len(lines)
    return (*lines, f"and {more} more") if more else tuple(lines)


def _described(blocker: Blocker) -> str:
    if blocker.standbys:
        return (
            f"a standby of synchronous_standby_names = {one_line(blocker.standbys)} that does not"
            " answer: the COMMIT is done here, and its locks are held until one does, or until"
            f" SELECT pg_catalog.pg_cancel_backend({blocker.pid}); ends the waiting"
        )
    if not blocker.pid:
        return "a transaction that was prepared and not ended (pg_prepared_xacts)"
    parts = [f"process {blocker.pid}"]
    parts += [one_line(blocker.application)] if blocker.application else []
    parts += [f"of {one_line(blocker.user)}"] if blocker.user else []
    if not blocker.since:
        return f"{' '.join(parts)}, of which the server tells members of pg_read_all_stats more"
    parts = [f"{' '.join(parts)}, since {blocker.since}"]
    parts += [blocker.state] if blocker.state not in ("", "active") else []
    return f"{', '.join(parts)}: {_first_line(blocker.query)}"


def _first_line(query: str) -> str:
    """Somebody else's statement, of which no password is shown."""
    if holds_password(query):
        return "a statement that holds a password"
    first = next((line for line in query.splitlines() if line.strip()), "")
    return shortened(one_line(first), _LENGTH)
