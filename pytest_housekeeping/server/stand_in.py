"""A server in the role of production: it asks for a password, and runs until it is ended."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.config import Stub
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.data_folder import SUPERUSER, initialise
from pytest_housekeeping.server.os_account import Account, server_account
from pytest_housekeeping.server.postmaster import await_ready, spawn
from pytest_housekeeping.server.run_folder import (
    RunFolder,
    claim,
    clear_leftovers,
    cluster_in,
    postmaster_pid,
    storages,
)
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.server.staging_database import (
    connect,
    create_database,
    set_password,
)

if TYPE_CHECKING:
    import psycopg

HOST = "127.0.0.1"
# With the 20 connections of the data folder: the room that PostgreSQL has as it is delivered.
_MAX_LOCKS = 320
_PATIENCE_S = 5.0
# The socket lies in the data folder, which nobody but the server's account enters.
_ACCESS = """\
local all "{superuser}" trust
host all "{superuser}" {host}/32 reject
host all all {host}/32 scram-sha-256
"""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A server that has just been started; unless it is kept, it is a leftover like any other."""

    folder: RunFolder
    programs: Programs
    process: subprocess.Popen[bytes]
    port: int
    database: str
    promoter: str
    password: str = field(repr=False)
    administrator: str = SUPERUSER

    def superuser(self) -> psycopg.Connection[Any]:
        """A connection in autocommit, over the socket."""
        cluster = cluster_in(self.folder, self.programs, self.administrator, port=self.port)
        return connect(cluster.conninfo(self.database))

    def keep(self) -> None:
        """Let it run on when this process has ended."""
        self.folder.keep()
        # Popen warns of a process that outlives it; this one is meant to.
        self.process.returncode = 0

    def discard(self) -> None:
        """End it and remove all of it, where it has not been kept."""
        _discard(self.folder, self.process)


def boot_stand_in(
    *,
    kind: str,
    version: int,
    promoter: str,
    database: str,
    stubs: tuple[Stub, ...] = (),
    administrator: str = SUPERUSER,
) -> StandIn:
    """Start a server on a free port of this machine; `promoter` owns its empty `database`, and the
    `administrator` made it.

    Its data folder is made by an ``initdb`` of its own: copies of one folder would share their
    system identifier, by which a production is known. Raises `ServerError`; nothing is left then.
    """
    programs = find_programs(kind, version, stubs)
    account = server_account()
    folder = _claim_somewhere(account)
    process = None
    try:
        folder.data.mkdir(mode=0o700)
        account.give(folder.data)
        initialise(folder.data, programs, account, administrator)
        access = _ACCESS.format(superuser=administrator, host=HOST)
        (folder.data / "pg_hba.conf").write_text(access, encoding="utf-8")
        process, port = _served(folder, programs)
        cluster = cluster_in(folder, programs, administrator, port=port)
        create_database(cluster, database, promoter, by_files=True)
        password = secrets.token_urlsafe(18)
        with connect(cluster.conninfo(database)) as connection:
            set_password(connection, promoter, password)
    except BaseException:
        _discard(folder, process)
        raise
    return StandIn(
        folder=folder,
        programs=programs,
        process=process,
        port=port,
        database=database,
        promoter=promoter,
        password=password,
        administrator=administrator,
    )


def _claim_somewhere(account: Account) -> RunFolder:
    # In memory only if need be: it may stand for days, and such files can end with the login.
    places = [place for place in reversed([*storages()]) if account.reaches(place)]
    refusals = []
    for storage in places:
        clear_leftovers(storage)
        try:
            return claim(storage, account)
        except OSError as error:
            refusals.append(f"{storage}: {error.strerror}")
    raise ServerError(
        "no place for a server: " + ("; ".join(refusals) or "no folder that it may enter"),
        why="it needs about 64 MB in the temporary folder"
        + (", as nobody: PostgreSQL does not run as root" if os.geteuid() == 0 else ""),
        fix="make room, or set TMPDIR to a folder with room that it may enter",
    )


def serving_pid(folder: Path) -> int:
    """The process of the server in `folder`; 0 when none runs there."""
    return postmaster_pid(folder / "data")


def end_stand_in(folder: Path) -> None:
    """End the kept server in `folder` and remove all of it. Raises `ServerError` if it stays."""
    (folder / "kept").unlink(missing_ok=True)
    clear_leftovers(folder.parent)
    if pid := serving_pid(folder):
        raise ServerError(
            f"the server in {folder} does not end",
            why="its process takes no signal",
            fix=f"kill -KILL {pid}, and try again",
        )


def _discard(folder: RunFolder, process: subprocess.Popen[bytes] | None) -> None:
    """Unlocked and not marked as kept, it is cleared like what a killed run left."""
    os.close(folder.lock)
    clear_leftovers(folder.path.parent)
    if process is not None:
        process.wait()
    # What an interrupted initdb has started may write for a moment longer.
    deadline = time.monotonic() + _PATIENCE_S
    while folder.path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
        shutil.rmtree(folder.path, ignore_errors=True)


def _served(
    folder: RunFolder, programs: Programs, attempts: int = 3
) -> tuple[subprocess.Popen[bytes], int]:
    """Start it on a free port; somebody else may take the port in the instant before."""
    port = _free_port()
    options = ("-p", str(port), "-c", f"listen_addresses={HOST}")
    process = spawn(folder, programs, server_account(), _MAX_LOCKS, *options)
    try:
        await_ready(folder, process, programs)
    except ServerError:
        if attempts == 1 or process.poll() is None:
            raise
        return _served(folder, programs, attempts - 1)
    return process, port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
