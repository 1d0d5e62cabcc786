"""The look around before BEGIN: who else is there, and whom the batch would wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import psycopg

from pytest_housekeeping.config import milliseconds
from pytest_housekeeping.declarations.window import read_window
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Lock, Verdict
from pytest_housekeeping.postgres.activity import Activity, read_activity
from pytest_housekeeping.postgres.batch_facts import strength
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.prechecks.obstacles import Limits, obstacles, untold
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.target import Target

_EVERY_S = 1.0


class LookAround:
    """The step ``activity``. ``locks`` are those that the whole batch is known to take.

    Where production is changed, who is in the way is waited for, and refuses the promotion in the
    end; where it is only planned, and in an emergency, it is told.
    """

    def __init__(
        self, context: RunContext, target: Target, locks: Callable[[], Iterable[Lock]]
    ) -> None:
        self._context = context
        self._target = target
        self._locks = locks
        self._progress = Progress()

    def follow(self, progress: Progress) -> None:
        """Who is waited for is told there."""
        self._progress = progress

    def judge(self) -> Judgement:
        """Nobody is there whom the batch would have to wait for, and the window is open."""
        context, connection = self._context, self._target.connection.get()
        wanted = strongest(self._locks())
        found, seen = list[Finding](), Activity()
        if any(segment.files for segment in context.plan.segments):
            seen, found = self._waited_for(connection, wanted)
            found += untold(seen, self._target.connection.identity().user)
        findings = [*found, *window_findings(context, connection)]
        if not _refuses(context):
            findings = [_told(each) for each in findings]
        examined = len(seen.sessions) + len(seen.prepared) + len(seen.replicas) + len(wanted)
        verdict = Verdict(examined=max(1, examined), unit="of others", findings=tuple(findings))
        said = (
            f"{len(seen.sessions)} transactions of others, {len(seen.prepared)} prepared,"
            f" {len(seen.replicas)} standbys; the batch locks {len(wanted)} relations"
        )
        if context.config.window:
            said += f"; the window {context.config.window} is {is_open(context, connection)}"
        return verdict, said

    def _waited_for(
        self, connection: LentConnection, wanted: Mapping[str, str]
    ) -> tuple[Activity, list[Finding]]:
        """What goes on, and who is in the way after as much waiting as is allowed."""
        watch = _Watch(connection, wanted, Limits.of(self._context.config))
        until = time.monotonic() + milliseconds(self._context.config.activity_wait) / 1000
        found = watch.look()
        while found and _refuses(self._context) and time.monotonic() < until:
            first = found[0].object
            with self._progress.doing(f"waiting for {first}: {found[0].detail}"):
                while found and found[0].object == first and time.monotonic() < until:
                    time.sleep(min(_EVERY_S, max(0.0, until - time.monotonic())))
                    found = watch.look()
        return watch.seen, found


class _Watch:
    """Looks again and again; ``seen`` is what there was the last time."""

    def __init__(
        self, connection: LentConnection, wanted: Mapping[str, str], limits: Limits
    ) -> None:
        self.seen = Activity()
        self._connection = connection
        self._wanted = wanted
        self._limits = limits
        self._since: dict[str, float] = {}

    def look(self) -> list[Finding]:
        """Who is in the way now.

        For how long somebody holds something is known of those of whom nobody tells it, when they
        are seen a second time.
        """
        found = self._look()
        if not found and self._since:
            time.sleep(self._limits.held_s)
            found = self._look()
        return found

    def _look(self) -> list[Finding]:
        try:
            self.seen = read_activity(self._connection, self._wanted)
        except psycopg.Error as error:
            raise ProofFailed(
                f"who else is there cannot be asked: {error.diag.message_primary or error}",
                why="the batch could wait for somebody who stays, and keep everybody else waiting",
                fix="let the role read pg_stat_activity, pg_locks, pg_prepared_xacts and"
                " pg_stat_replication, and run again",
            ) from None
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in _without_age(self.seen)}
        ages = {name: now - since for name, since in self._since.items()}
        return list(obstacles(self.seen, self._limits, ages))


def _without_age(seen: Activity) -> list[str]:
    """The transactions that hold something, and of which the server does not tell since when."""
    return [each.transaction for each in seen.sessions if each.held and each.age_s is None]


def strongest(locks: Iterable[Lock]) -> dict[str, str]:
    """The strongest mode in which each relation is locked."""
    found: dict[str, str] = {}
    for lock in locks:
        found[lock.relation] = max(found.get(lock.relation, lock.mode), lock.mode, key=strength)
    return found


def check_window(context: RunContext, connection: LentConnection) -> Judgement:
    """The precheck ``window``: a promotion may begin now."""
    findings = tuple(window_findings(context, connection))
    if not _refuses(context):
        findings = tuple(_told(each) for each in findings)
    said = f"{context.config.window} is {is_open(context, connection)}"
    return Verdict(examined=1, unit="window", findings=findings), said


def is_open(context: RunContext, connection: LentConnection) -> str:
    """Whether the window is ``open`` or ``closed`` now."""
    window = read_window(context.config.window)
    return "open" if window.is_open(_now(connection)) else "closed"


def window_findings(context: RunContext, connection: LentConnection) -> Iterator[Finding]:
    """That the window is closed, if it is. Its clock is that of the server."""
    if context.config.window and is_open(context, connection) == "closed":
        yield Finding(
            rule="window-closed",
            level=Level.ERROR,
            object=context.config.window,
            detail=f"production is promoted in these hours, and it is {_now(connection):%H:%M} UTC",
            fix="run again when it is open, or change window in [tool.housekeeping]",
        )


def _now(connection: LentConnection) -> datetime:
    (now,) = connection.execute("SELECT pg_catalog.clock_timestamp()").fetchone() or (None,)
    return now or datetime.now(UTC)


def _refuses(context: RunContext) -> bool:
    """In an emergency nobody is waited for; what is there is told all the same."""
    return context.rules.changes_production and not context.options.emergency


def _told(finding: Finding) -> Finding:
    return replace(finding, level=Level.WARNING) if finding.level is Level.ERROR else finding
