"""The server of a run: the first process starts it, all share it, and the last one ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from pytest_housekeeping.config import Config
from pytest_housekeeping.databases.run_file import RunFile
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import run_folder
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.kept_folders import keep, kept_path
from pytest_housekeeping.server.os_account import is_ours, server_account
from pytest_housekeeping.server.postmaster import Postmaster, boot
from pytest_housekeeping.server.run_folder import RunFolder, cluster_in, free_segment
from pytest_housekeeping.server.server_settings import server_settings
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.server.staging_database import Cluster, connect, ensure_role

# Enough for the pools of an application in each of several workers; an idle one costs nothing.
_CONNECTIONS = 200
_LOCKS = 128
# A session in template1 would keep tests from CREATE DATABASE, and this is where programs look.
_MAINTENANCE = "postgres"
# Fast: sessions are ended, and all of it is on disk, to be kept.
_SHUT_DOWN = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 1.0))
_AT_ONCE = _SHUT_DOWN[1:]


class EmbeddedGround:
    """A server of this run alone, in memory where there is some. See `Ground`."""

    password = ""

    def __init__(self, config: Config, key: str, run: str, *, shared: bool, reuse: bool) -> None:
        """``key`` names what is kept for the next run, and ``run`` the processes that share it."""
        self._settings = server_settings(config, max_locks=_LOCKS)
        self.kind = config.server
        self.shared = shared
        self.names = f"hk_test_{token_hex(4)}"
        self._key = key
        self._reuse = reuse
        self._run = RunFile(f"{run} {key}")
        self._process: subprocess.Popen[bytes] | None = None
        with self._run.alone() as known:
            folder = run_folder.join(Path(known["folder"])) if known else None
            if folder is None:
                known.clear()
                folder = self._start(known)
            self._folder = folder
            self._programs = Programs(folder=Path(known["programs"]), version=known["version"])

    @property
    def cluster(self) -> Cluster:
        cluster = cluster_in(self._folder, self._programs, self._settings.superuser)
        return replace(cluster, maintenance=_MAINTENANCE)

    @contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        with self._run.alone() as known:
            yield known

    def marking_roles(self) -> AbstractContextManager[None]:
        """The roles end with the server."""
        return nullcontext()

    def template_name(self, key: str) -> str:
        return f"hk_template_{key}" if key else "hk_template"

    def close(self, last: Callable[[dict[str, Any]], bool]) -> None:
        """The last one ends the server, and keeps what was made on it for the next run."""
        with self._run.leaving() as (is_last, known):
            if not is_last:
                if self._process is not None:
                    # Popen warns of a process that outlives it; this one is meant to.
                    self._process.returncode = 0
                self._folder.leave()
                return
            try:
                keeps = self._reuse and bool(known.get("unkept")) and _done(last, known)
                self._end(_SHUT_DOWN if keeps else _AT_ONCE)
                if keeps:
                    self._keep(known["templates"])
            finally:
                free_segment(self._folder.data)
                self._folder.remove()

    def _start(self, known: dict[str, Any]) -> RunFolder:
        """Start it with what is kept of these very files, if anything is."""
        booted: list[Postmaster | BaseException] = []

        def start() -> None:
            try:
                booted.append(self._booted())
            except BaseException as error:
                booted.append(error)

        # It boots while what talks to it is imported; a thread of its own imports nothing.
        thread = threading.Thread(target=start, name="hk-server")
        thread.start()
        import psycopg  # noqa: F401

        thread.join()
        running = booted[0]
        if isinstance(running, BaseException):
            raise running
        if not running.about:
            try:
                _furnish(running.cluster, self._settings.migrator)
            except BaseException:
                running.close(keep=False)
                raise
        running.folder.share()
        self._process = running.process
        known |= {
            "folder": str(running.folder.path),
            "programs": str(running.programs.folder),
            "version": running.programs.version,
            "templates": json.loads(running.about.get("templates", "{}")),
        }
        return running.folder

    def _booted(self) -> Postmaster:
        asked = self._settings
        kept = kept_path(find_programs(asked.kind, asked.version, asked.stubs), self._key)
        if self._reuse and kept.exists() and is_ours(kept):
            # What is no data folder of ours, or damaged, is made anew.
            with suppress(ServerError, ValueError, OSError):
                running = self._boot(kept)
                if running.about.get("key") == self._key:
                    return running
                running.close(keep=False)
            kept.unlink(missing_ok=True)
        return self._boot(None)

    def _boot(self, kept: Path | None) -> Postmaster:
        options = ("-c", f"max_connections={_CONNECTIONS}")
        return boot(self._settings, kept=kept, options=options)

    def _end(self, signs: tuple[tuple[signal.Signals, float], ...]) -> None:
        pid = run_folder.postmaster_pid(self._folder.data)
        if pid:
            run_folder.end_server(pid, self._folder.data, signs)
        if self._process is not None:
            self._process.wait()

    def _keep(self, templates: Mapping[str, str]) -> None:
        """That it cannot be kept is no failure: the next run makes it again."""
        about = {"templates": json.dumps(templates), "superuser": self._settings.superuser}
        with suppress(OSError, ServerError):
            keep(self._folder.data, self._programs, server_account(), self._key, about)


def _furnish(cluster: Cluster, migrator: str) -> None:
    """What is not the project's: the role that migrations run as, and a database to connect to."""
    with connect(cluster.conninfo(cluster.maintenance)) as superuser:
        ensure_role(superuser, migrator)
        superuser.execute(f"CREATE DATABASE {_MAINTENANCE} STRATEGY file_copy".encode())


def _done(last: Callable[[dict[str, Any]], bool], known: dict[str, Any]) -> bool:
    import psycopg

    try:
        return last(known)
    except (psycopg.Error, ServerError):
        # A server that a test has brought down leaves nothing to keep.
        return False
