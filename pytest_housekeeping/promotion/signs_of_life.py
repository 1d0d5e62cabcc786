"""The watch over a run that takes its time: a thread that says what goes on, and who is in the way.

It asks over a connection of its own, for the one in use is busy waiting. Whatever keeps it from
asking is told and harms nothing: the run does not depend on being watched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from pytest_housekeeping.config import milliseconds
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence.report.display import one_line
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.locks.in_the_way import in_the_way, open_beside
from pytest_housekeeping.promotion.progress import Activity, Progress, described

QUIET_S = 2.0
EVERY_S = 5.0
_TICK_S = 0.25
_ASK_EVERY_S = 1.0


class SignsOfLife:
    """Watches what is being done from ``start`` to ``stop``; see `Progress`.

    ``connection`` gives the connection in use as it is now, None where there is none.
    ``quiet_s`` is how long something may take without being told, ``every_s`` how often it is told
    from then on.
    """

    def __init__(
        self,
        progress: Progress,
        connection: Callable[[], LentConnection | None],
        *,
        quiet_s: float = QUIET_S,
        every_s: float = EVERY_S,
    ) -> None:
        self._progress = progress
        self._connection = connection
        self._quiet_s = quiet_s
        self._every_s = every_s
        self._ask_after_s = quiet_s
        self._beside: LentConnection | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hk-signs-of-life", daemon=True)

    def ask_before_end_of(self, lock_timeout: str) -> None:
        """Ask first who is in the way when half of this has gone by, if that is less than is quiet.

        Who waits no longer cannot be asked about. ``lock_timeout`` is a duration of the settings,
        such as ``5s``.
        """
        self._ask_after_s = min(self._quiet_s, milliseconds(lock_timeout) / 2000)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing is told from now on. May be called again, and without a start."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)

    def _watch(self) -> None:
        watched: Activity | None = None
        ask_at = tell_at = 0.0
        while not self._ended.wait(min(_TICK_S, self._ask_after_s / 2)):
            activity, now = self._progress.activity, time.monotonic()
            if activity is not watched:
                watched = activity
                self._leave()
                if activity is not None:
                    ask_at = activity.started + self._ask_after_s
                    tell_at = activity.started + self._quiet_s
            if watched is None or now < min(ask_at, tell_at):
                continue
            lines = self._asked()
            self._progress.saw(watched, lines)
            ask_at = now + min(_ASK_EVERY_S, self._ask_after_s)
            if now >= tell_at:
                self._progress.tell_of(watched, lines)
                tell_at = now + self._every_s
        self._leave()

    def _asked(self) -> tuple[str, ...]:
        """Who is in the way, a line each, or why nobody can say."""
        try:
            used = self._connection()
            if used is None or used.closed:
                self._leave()
                return ()
            if self._beside is None:
                self._beside = open_beside(used)
            return described(in_the_way(self._beside, used.info.backend_pid))
        except (HousekeepingError, psycopg.Error, OSError) as error:
            self._leave()
            found = error.found if isinstance(error, HousekeepingError) else str(error)
            return (f"not known, for the server cannot be asked: {one_line(found)}",)

    def _leave(self) -> None:
        beside, self._beside = self._beside, None
        with suppress(psycopg.Error, OSError):
            if beside is not None:
                beside.close()
