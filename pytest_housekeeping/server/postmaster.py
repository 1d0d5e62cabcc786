"""A PostgreSQL server of this run alone: spawned directly, thrown away at the end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import WAYS_OUT, Programs, does_not_run
from pytest_housekeeping.server.data_folder import (
    MAINTENANCE,
    SUPERUSER,
    image_path,
    lay_data_folder,
)
from pytest_housekeeping.server.kept_folders import keep
from pytest_housekeeping.server.os_account import Account, server_account
from pytest_housekeeping.server.packed_folder import lay
from pytest_housekeeping.server.run_folder import (
    PORT,
    RunFolder,
    claim,
    clear_leftovers,
    cluster_in,
    free_segment,
    no_place,
    storages,
)
from pytest_housekeeping.server.server_settings import ServerSettings
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.server.staging_database import (
    Cluster,
    StagingDatabase,
    connect,
    create_database,
    database_of,
    drop_database,
    drop_roles,
    random_name,
    rename_superuser,
    roles,
)

_START_S = 60.0
_STOP_S = 10.0
_SHUT_DOWN_S = 60.0
_POLL_S = 0.002


@dataclass(kw_only=True)
class Postmaster:
    """A running ``postgres`` in a folder of its own; `about` is what was kept with the folder."""

    folder: RunFolder
    programs: Programs
    process: subprocess.Popen[bytes]
    migrator: str
    superuser: str = SUPERUSER
    max_locks: int = 64
    about: Mapping[str, str] = field(default_factory=dict)
    databases: list[StagingDatabase] = field(default_factory=list)

    @property
    def log_path(self) -> Path:
        return self.folder.log

    @property
    def cluster(self) -> Cluster:
        return cluster_in(self.folder, self.programs, self.superuser)

    def create(self, name: str = "") -> StagingDatabase:
        database = create_database(
            self.cluster, name or random_name(), self.migrator, by_files=True
        )
        self.databases.append(database)
        return database

    def adopt(self, name: str) -> StagingDatabase:
        """The database `name`, which the server has begun with."""
        database = database_of(self.cluster, name, self.migrator)
        self.databases.append(database)
        return database

    def drop(self, database: StagingDatabase) -> None:
        """Drop `database`; with the last one go the roles that were made beside it."""
        drop_database(self.cluster, database.name)
        self.databases.remove(database)
        if not self.databases:
            with connect(self.cluster.conninfo(MAINTENANCE)) as connection:
                drop_roles(connection, roles(connection) - {self.superuser, self.migrator})

    def keep(self, database: StagingDatabase, key: str, about: Mapping[str, str]) -> None:
        """Keep the server as it is, `database` in it; it is stopped for that and started again.

        Raises `OSError` or `ServerError` where it cannot be kept; it runs all the same, unless it
        can be neither stopped nor started.
        """
        account = server_account()
        # Fast: sessions are ended, and all of it is on disk.
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_SHUT_DOWN_S)
        except subprocess.TimeoutExpired:
            raise ServerError(f"the server did not shut down in {_SHUT_DOWN_S:.0f} s") from None
        known = {"database": database.name, "superuser": self.superuser}
        try:
            keep(self.folder.data, self.programs, account, key, {**known, **about})
        finally:
            self.process = spawn(self.folder, self.programs, account, self.max_locks)
            await_ready(self.folder, self.process, self.programs)

    @contextmanager
    def bootstrap_lock(self) -> Iterator[None]:
        """Nobody else knows this server."""
        yield

    def close(self, *, keep: bool) -> None:
        """End the server and remove its folder, with what databases have elsewhere; or leave it all
        as it is."""
        import psycopg

        if keep:
            self.folder.keep()
            # Popen warns of a process that outlives it; this one is meant to.
            self.process.returncode = 0
            return
        try:
            # A server that has ended by itself has nothing to drop, and what is in the folder goes
            # with it.
            with suppress(psycopg.OperationalError, OSError):
                if any((self.folder.data / "pg_tblspc").iterdir()):
                    for database in self.databases:
                        drop_database(self.cluster, database.name)
        finally:
            _end(self.process)
            free_segment(self.folder.data)
            self.folder.remove()

    def removal(self) -> str:
        """The command that ends a kept server."""
        return f"kill -QUIT {self.process.pid} && sleep 1 && rm -rf {self.folder.path}"


def boot(
    settings: ServerSettings, *, kept: Path | None = None, options: tuple[str, ...] = ()
) -> Postmaster:
    """Start a server, in memory-backed storage where there is some; it takes connections.

    With `kept` it begins with the databases that were kept there. Servers of this user that a
    killed run left are cleared first. Raises `ServerError`, and `ValueError` for a kept folder that
    is not what was written.
    """
    account = server_account()
    programs = find_programs(settings.kind, settings.version, settings.stubs)
    refusals = []
    for storage in storages():
        clear_leftovers(storage)
        try:
            folder = claim(storage, account)
        except OSError as error:
            refusals.append(f"{storage}: {error.strerror}")
            continue
        try:
            process, about = _started(folder, programs, account, settings.max_locks, kept, options)
        except OSError as error:
            folder.remove()
            refusals.append(f"{storage}: {error.strerror}")
            continue
        except BaseException:
            folder.remove()
            raise
        return _named(
            Postmaster(
                folder=folder,
                programs=programs,
                process=process,
                migrator=settings.migrator,
                superuser=about.get("superuser", SUPERUSER),
                max_locks=settings.max_locks,
                about=about,
            ),
            settings.superuser,
        )
    raise no_place(refusals)


def _named(running: Postmaster, superuser: str) -> Postmaster:
    """A new one's superuser bears that name: a migrating role may be called as it was."""
    if running.about.get("superuser") or running.superuser == superuser:
        return running
    try:
        rename_superuser(running.cluster, superuser)
    except BaseException:
        running.close(keep=False)
        raise
    running.superuser = superuser
    return running


def _started(
    folder: RunFolder,
    programs: Programs,
    account: Account,
    max_locks: int,
    kept: Path | None,
    options: tuple[str, ...],
) -> tuple[subprocess.Popen[bytes], Mapping[str, str]]:
    laying = (
        lay(kept, folder.data, account, verify=True)
        if kept
        else lay_data_folder(folder.data, programs, account)
    )
    with closing(laying):
        about = next(laying)
        process = spawn(folder, programs, account, max_locks, *options)
        try:
            next(laying)
            await_ready(folder, process, programs)
        except BaseException as error:
            _end(process)
            if isinstance(error, ServerError):
                # Should the folder be the cause, the next run makes it anew.
                (kept or image_path(programs)).unlink(missing_ok=True)
            raise
    return process, about


def spawn(
    folder: RunFolder, programs: Programs, account: Account, max_locks: int, *options: str
) -> subprocess.Popen[bytes]:
    """Start ``postgres`` on the data folder of `folder`, and do not wait for it.

    Of an option that is given twice, PostgreSQL takes the last.
    """
    data = str(folder.data)
    fixed = ("-D", data, "-k", data, "-p", str(PORT), "-c")
    locks = f"max_locks_per_transaction={max_locks}"
    # As root the folder can be entered by others, and the log quotes statements that failed.
    folder.log.touch(mode=0o600)
    with folder.log.open("ab") as log:
        try:
            return subprocess.Popen(
                [programs["postgres"], *fixed, locks, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=bare_environment(),
                # Ctrl-C reaches the whole foreground group; the server ends when we say so.
                start_new_session=True,
                **account.switch(),
            )
        except OSError as error:
            raise does_not_run(programs["postgres"], error) from None


def await_ready(folder: RunFolder, process: subprocess.Popen[bytes], programs: Programs) -> None:
    """Wait until it takes connections. Raises `ServerError` with its log when it ends instead."""
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        # The last line of postmaster.pid is "ready" once connections are taken.
        with suppress(FileNotFoundError):
            if b"ready" in (folder.data / "postmaster.pid").read_bytes():
                return
        time.sleep(_POLL_S)
    log = folder.log.read_text(errors="replace").strip().splitlines()[-6:]
    ended = process.returncode
    raise ServerError(
        f"{programs['postgres']} did not start"
        + (f" (exit code {ended})" if ended is not None else f" within {_START_S:.0f} s")
        + "".join(f"\n    {line}" for line in log),
        why="its own log says so" if log else "it said nothing",
        fix=WAYS_OUT,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """An immediate shutdown: the folder is thrown away, so nothing has to be saved."""
    if process.poll() is None:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
