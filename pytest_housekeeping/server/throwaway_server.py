"""The throwaway server as a run sees it: it boots in the background, and gives databases."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.beginning import (
    NOTHING,
    Beginning,
    Begun,
    begin,
    is_kept,
    kept_ones,
)
from pytest_housekeeping.server.server_settings import ServerSettings
from pytest_housekeeping.server.staging_database import Cluster, StagingDatabase


class _Running(Protocol):
    """What a server of this run alone and a given one have in common."""

    databases: list[StagingDatabase]

    @property
    def cluster(self) -> Cluster: ...
    @property
    def log_path(self) -> Path | None: ...
    def create(self) -> StagingDatabase: ...
    def drop(self, database: StagingDatabase) -> None: ...
    def keep(self, database: StagingDatabase, key: str, about: Mapping[str, str]) -> None: ...
    def bootstrap_lock(self) -> AbstractContextManager[None]: ...
    def close(self, *, keep: bool) -> None: ...
    def removal(self) -> str: ...


class Server:
    """A server that boots in the background; see `start`."""

    def __init__(self, settings: ServerSettings, beginning: Beginning = NOTHING) -> None:
        self.settings = settings
        self._beginning = beginning
        self._begun_with = Begun()
        self._owner = os.getpid()
        self._stopping = threading.RLock()
        self._stopped = False
        self._turn = threading.Lock()
        self._begun = self._cancelled = False
        self._done = threading.Event()
        self._work: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._booted: _Running | None = None
        self._first: StagingDatabase | None = None
        # Ctrl-C may come between any two lines: whatever the thread starts has to be ended.
        atexit.register(self._stop_at_exit)
        threading.Thread(target=self._boot, name="hk-server").start()

    def database(self) -> StagingDatabase:
        """A fresh database, owned by the migrator; waits until the server is ready.

        Raises `ServerError` when the server could not be started or reached.
        """
        running = self._running()
        first, self._first = self._first, None
        return first or running.create()

    def cluster(self) -> Cluster:
        """How it is reached; waits until it is ready. Raises `ServerError`."""
        return self._running().cluster

    def begun(self) -> Begun:
        """What it has begun with; waits until it is ready."""
        self._running()
        return self._begun_with

    def begin_again(self, beginning: Beginning = NOTHING, *, because: str = "") -> Begun:
        """Start anew with what is kept under one of the keys, or with nothing where there are none.

        Where nothing is kept under them it goes on as it is; so does one whose databases are in
        use, and a given one. `because` says why what it had begun with is refused. Raises
        `ServerError`.
        """
        running, settings = self._running(), self.settings
        nothing_kept = not any(kept_ones(settings, beginning.keys))
        if settings.url or self._lent(running) or (beginning.keys and nothing_kept):
            return Begun()

        def anew() -> None:
            self._booted = None
            running.close(keep=False)
            self._boot_with(beginning)

        self._apart(anew)
        begun = self.begun()
        if because:
            self._begun_with = replace(begun, refused=(because, *begun.refused))
        return self._begun_with

    def keep(
        self,
        database: StagingDatabase,
        key: str,
        about: Mapping[str, str],
        *,
        instead: bool = False,
    ) -> str:
        """Keep the server as it is, for one that begins with the key; nobody may be connected.

        Says why it could not be kept, which is no failure; "" where it was. What is kept under the
        key already stays as it is, unless this is kept `instead`.
        """
        running = self._running()
        if not instead and is_kept(self.settings, key):
            return ""
        if self._lent(running) > 1:
            return "another database of it is in use"
        try:
            self._apart(lambda: running.keep(database, key, about))
        except OSError as error:
            return f"{error.filename or 'the cache'}: {error.strerror}"
        except ServerError as error:
            return error.found
        return ""

    def drop(self, database: StagingDatabase) -> None:
        """Drop `database` before the run ends. `stop` has dropped those that are left."""
        if not self._stopped:
            self._running().drop(database)

    @contextmanager
    def bootstrap_lock(self) -> Iterator[None]:
        """Hold this around ``sql/bootstrap/``: runs that share a given server take turns."""
        with self._running().bootstrap_lock():
            yield

    @property
    def log_path(self) -> Path | None:
        """The server's own log, with SQLSTATE in each line; none of a given server."""
        return self._running().log_path

    def describe(self) -> str:
        """For ``--hk-keep``, before `stop`: how to connect, and how to remove it. No password."""
        running = self._running()
        lines = [database.describe() for database in running.databases]
        return "\n".join((*lines, f"remove it: {running.removal()}"))

    def stop(self) -> None:
        """Drop the databases, end the server, remove its files; with `keep`, leave all of it.

        May be called again, from a signal handler, and while the server still boots. Raises
        `ServerError` when something had to be left behind on a given server.
        """
        with self._stopping:
            if self._stopped or os.getpid() != self._owner:
                return
            with self._turn:
                self._cancelled = True
                if not self._begun:
                    self._done.set()
            self._done.wait()
            if self._work is not None and self._work.ident is not None:
                self._work.join()
            if self._booted is not None:
                self._close(self._booted)
            self._stopped = True
            atexit.unregister(self._stop_at_exit)

    def _boot(self) -> None:
        with self._turn:
            if self._cancelled:
                return
            self._begun = True
        self._boot_with(self._beginning)
        self._done.set()

    def _boot_with(self, beginning: Beginning) -> None:
        try:
            self._begin(beginning)
        except BaseException as error:
            self._failure = error

    def _begin(self, beginning: Beginning) -> None:
        settings = self.settings
        if settings.url:
            self._booted = _open(settings, settings.url)
            self._first = self._booted.create()
            return
        self._booted, self._first, self._begun_with = begin(settings, beginning)

    def _lent(self, running: _Running) -> int:
        """How many of its databases are in use."""
        return len(running.databases) - (self._first is not None)

    def _apart(self, work: Callable[[], None]) -> None:
        """Do it in a thread, where Ctrl-C does not reach it; `stop` waits until it is done."""
        failures: list[BaseException] = []

        def done() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        self._work = threading.Thread(target=done, name="hk-server")
        self._work.start()
        self._work.join()
        for failure in failures:
            raise failure

    def _running(self) -> _Running:
        self._done.wait()
        if self._failure is not None:
            raise self._failure
        if self._booted is None:
            raise ServerError(
                "the throwaway server was stopped before it started",
                why="nothing more can be done with it",
                fix="start the run again",
            )
        return self._booted

    def _close(self, running: _Running) -> None:
        import psycopg

        names = ", ".join(database.name for database in running.databases) or "what a run made"
        try:
            running.close(keep=self.settings.keep)
        except psycopg.Error as error:
            raise ServerError(
                f"the given server still has {names}: {error}",
                why="it could not be dropped",
                fix="nothing: the next run on that server clears it",
            ) from None

    def _stop_at_exit(self) -> None:
        try:
            self.stop()
        except ServerError as error:
            sys.stderr.write(f"{error}\n")


def _open(settings: ServerSettings, url: str) -> _Running:
    if settings.original is not None:
        from pytest_housekeeping.server.given_empty import open_empty

        return open_empty(url, settings.original, restorer=settings.migrator)
    from pytest_housekeeping.server.given import open_given

    return open_given(url, migrator=settings.migrator)


def start(settings: ServerSettings, beginning: Beginning = NOTHING) -> Server:
    """Start the server in the background and return at once; it and a database boot meanwhile.

    With a `beginning` it may start with what an earlier run has kept; see `Server.begun`.
    What goes wrong is raised by `Server.database`. `Server.stop` is called at exit if nobody did.
    """
    # Imported here rather than in the thread: two threads that import one package can meet, and two
    # that let pytest rewrite a module may each find the other's depth of recursion.
    import psycopg  # noqa: F401
    import pytest_postgresql.janitor  # noqa: F401

    if settings.original is not None:
        import pytest_housekeeping.server.given_empty
    elif settings.url:
        import pytest_housekeeping.server.given
    else:
        import pytest_housekeeping.server.postmaster  # noqa: F401

    return Server(settings, beginning)
