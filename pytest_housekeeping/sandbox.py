"""A PostgreSQL in the role of production, to try a promotion on: it runs until it is stopped."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping import config as configuration
from pytest_housekeeping import sqlfile
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.account import cache_folder, own_folder, server_account
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.datafolder import MAINTENANCE, SUPERUSER, initialise
from pytest_housekeeping.server.extensions import find_programs
from pytest_housekeeping.server.postmaster import await_ready, spawn
from pytest_housekeeping.server.runfolder import (
    RunFolder,
    claim,
    clear_leftovers,
    postmaster_pid,
    storages,
)
from pytest_housekeeping.server.stagingdb import Cluster, connect, create_database

if TYPE_CHECKING:
    import psycopg

HOST = "127.0.0.1"
DATABASE = "shop"
# With the 20 connections of the data folder: the room that PostgreSQL has as it is delivered.
_MAX_LOCKS = 320
# The socket lies in the data folder, which nobody but the server's account enters.
_ACCESS = f"""\
local all {SUPERUSER} trust
host all {SUPERUSER} {HOST}/32 reject
host all all {HOST}/32 scram-sha-256
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A running sandbox: where it is, whose project it was started for, how to log in."""

    port: int
    database: str
    user: str
    password: str = field(repr=False)
    folder: str
    programs: str
    project: str

    def exports(self) -> str:
        """The five lines for ``eval`` in a shell. They hold the password: for the user alone."""
        return "".join(f"export {name}={shlex.quote(v)}\n" for name, v in self._address().items())

    def psql(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and its environment, which holds the password."""
        variables = {name.removesuffix("_PROD"): v for name, v in self._address().items()}
        return [str(Path(self.programs) / "psql"), *arguments], {**os.environ, **variables}

    def superuser(self) -> str:
        """The command for what only the administrator of a server may do. No password is in it."""
        data = Path(self.folder) / "data"
        program = str(Path(self.programs) / "psql")
        login = ("-h", str(data), "-p", str(self.port), "-U", SUPERUSER, "-d", self.database)
        return shlex.join((program, *login))

    def _address(self) -> dict[str, str]:
        return {
            "PGHOST_PROD": HOST,
            "PGPORT_PROD": str(self.port),
            "PGDATABASE_PROD": self.database,
            "PGUSER_PROD": self.user,
            "PGPASSWORD_PROD": self.password,
        }


def running() -> Sandbox | None:
    """The sandbox of this user that runs, if one does."""
    sandbox = _recorded()
    return sandbox if sandbox and _process(sandbox) else None


def start(folder: Path) -> tuple[Sandbox, bool]:
    """The sandbox of this user, and whether it was started by this call.

    The database belongs to the project's `migrator`, and ``sql/bootstrap/`` of the project that
    `folder` is in has made the roles. Raises MisuseError for settings that cannot be read,
    SqlFailed for a bootstrap file, ServerError when the server does not start; nothing is left.
    """
    with _alone():
        if (sandbox := running()) is not None:
            return sandbox, False
        root = _project(folder)
        config = configuration.load(root) if _is_project(root) else Config(root=root)
        sandbox = _started(config)
        with os.fdopen(os.open(_state(), _NEW, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(sandbox), file)
        return sandbox, True


def stop() -> bool:
    """End the sandbox and remove all of it; whether one ran. Raises ServerError if it stays."""
    with _alone():
        sandbox = _recorded()
        if sandbox is None:
            return False
        ran, folder = _process(sandbox) != 0, Path(sandbox.folder)
        (folder / "kept").unlink(missing_ok=True)
        clear_leftovers(folder.parent)
        if pid := _process(sandbox):
            raise ServerError(
                f"the sandbox in {folder} does not end",
                why="its process takes no signal",
                fix=f"kill -KILL {pid}, then --stop again",
            )
        _state().unlink()
        return ran


_NEW = os.O_CREAT | os.O_WRONLY | os.O_TRUNC


def _state() -> Path:
    return _place() / "sandbox.json"


def _recorded() -> Sandbox | None:
    try:
        return Sandbox(**json.loads(_state().read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _process(sandbox: Sandbox) -> int:
    return postmaster_pid(Path(sandbox.folder) / "data")


def _place() -> Path:
    """The user's folder for what outlives a process; closed to everybody else."""
    import platformdirs

    path = Path(platformdirs.user_state_path("pytest-housekeeping"))
    return path if own_folder(path, 0o700) else cache_folder()


@contextmanager
def _alone() -> Iterator[None]:
    """One start or stop at a time."""
    lock = os.open(_place() / "sandbox.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _project(folder: Path) -> Path:
    """The nearest folder upwards with a pyproject.toml, as pytest finds its rootdir."""
    for candidate in (folder, *folder.parents):
        if (candidate / "pyproject.toml").is_file():
            return candidate
    return folder


def _is_project(root: Path) -> bool:
    """Whether `root` speaks of a promotion: by its settings, or by the usual folder."""
    settings = root / "pyproject.toml"
    if settings.is_file() and "[tool.housekeeping" in settings.read_text(encoding="utf-8"):
        return True
    return (root / "sql").is_dir() and (root / "checks").is_dir()


def _started(config: Config) -> Sandbox:
    account = server_account()
    programs = find_programs(config.server, config.server_version)
    # Not in memory: it may stand for days, and memory-backed files can end with the login.
    *_, storage = storages()
    clear_leftovers(storage)
    try:
        folder = claim(storage, account)
    except OSError as error:
        raise ServerError(
            f"no place for the sandbox in {storage}: {error.strerror}",
            fix="set TMPDIR to a folder with room that you may write to",
        ) from None
    try:
        folder.data.mkdir(mode=0o700)
        account.give(folder.data)
        initialise(folder.data, programs, account)
        (folder.data / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        process, port = _served(folder, programs)
        sandbox = _furnished(config, folder, programs, port)
    except BaseException:
        # Unlocked and not marked as kept, it is a leftover like that of a killed run.
        os.close(folder.lock)
        clear_leftovers(storage)
        raise
    folder.keep()
    # Popen warns of a process that outlives it; this one is meant to.
    process.returncode = 0
    return sandbox


def _served(
    folder: RunFolder, programs: Programs, attempts: int = 3
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server on a free port; somebody else may take it in the instant before."""
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


def _furnished(config: Config, folder: RunFolder, programs: Programs, port: int) -> Sandbox:
    """The promoter, its database, and the roles that production is said to have."""
    cluster = Cluster(
        host=str(folder.data),
        port=port,
        superuser=SUPERUSER,
        maintenance=MAINTENANCE,
        parameters={"options": "", "gssencmode": "disable", "target_session_attrs": "any"},
    )
    create_database(cluster, DATABASE, config.migrator)
    password = secrets.token_urlsafe(18)
    with connect(cluster.conninfo(DATABASE)) as connection:
        _set_password(connection, config.migrator, password)
        _bootstrap(connection, config)
    return Sandbox(
        port=port,
        database=DATABASE,
        user=config.migrator,
        password=password,
        folder=str(folder.path),
        programs=str(programs.folder),
        project=str(config.root),
    )


def _set_password(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Only the verifier is sent, so that no log of the server holds the password."""
    from psycopg import sql

    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(verifier.decode())
        )
    )


def _bootstrap(connection: psycopg.Connection[Any], config: Config) -> None:
    """Run ``sql/bootstrap/`` as the superuser, as an administrator has done in production."""
    import psycopg

    from pytest_housekeeping.transaction import explain

    for path in sorted(config.folder("bootstrap").glob("*.sql")):
        name = path.relative_to(config.root).as_posix()
        text = sqlfile.decode(path.read_bytes(), name)
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            raise explain(name, text, error) from None
