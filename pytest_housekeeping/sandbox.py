"""The sandbox of a user: a server in the role of production, and where a later command finds it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import MisuseError, ServerError
from pytest_housekeeping.server.data_folder import SUPERUSER
from pytest_housekeeping.server.os_account import cache_folder, own_folder
from pytest_housekeeping.server.server_settings import superuser_of
from pytest_housekeeping.server.stand_in import HOST, boot_stand_in, end_stand_in, serving_pid
from pytest_housekeeping.sql.bootstrap import bootstrap_texts
from pytest_housekeeping.sql.project_files import ProjectFiles

if TYPE_CHECKING:
    import psycopg

DATABASE = "shop"
_NEW = os.O_CREAT | os.O_WRONLY | os.O_TRUNC


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
    administrator: str = SUPERUSER

    @property
    def place(self) -> str:
        return f"{HOST}:{self.port}/{self.database}"

    def exports(self) -> str:
        """The five lines for ``eval`` in a shell. They hold the password: for the user alone."""
        return "".join(f"export {name}={shlex.quote(v)}\n" for name, v in self._address().items())

    def psql(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command as the promoter, and the variables for it, which hold the password."""
        variables = {name.removesuffix("_PROD"): v for name, v in self._address().items()}
        return [self._psql(), *arguments], variables

    def superuser(self) -> str:
        """The command for what only a server's administrator may do. No password is in it."""
        data = str(Path(self.folder) / "data")
        login = ("-h", data, "-p", str(self.port), "-U", self.administrator, "-d", self.database)
        return shlex.join((self._psql(), *login))

    def _psql(self) -> str:
        return str(Path(self.programs) / "psql")

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
    return sandbox if sandbox and serving_pid(Path(sandbox.folder)) else None


def start(folder: Path) -> tuple[Sandbox, bool]:
    """The sandbox of this user, and whether it was started by this call.

    The database belongs to the project's `migrator`, and ``sql/bootstrap/`` of the project that
    `folder` is in has made the roles. Raises MisuseError for settings that cannot be read, and
    where that of another project runs, SqlFailed for a bootstrap file, ServerError when the server
    does not start; nothing is left.
    """
    with _alone():
        root = _project(folder)
        if (sandbox := running()) is not None:
            if _is_project(root) and root != Path(sandbox.project):
                raise _anothers(sandbox, root)
            return sandbox, False
        config = load_config(root) if _is_project(root) else Config(root=root)
        return _started(config), True


def stop() -> bool:
    """End the sandbox and remove all of it; whether one ran. Raises ServerError if it stays."""
    with _alone():
        sandbox = _recorded()
        if sandbox is None:
            return False
        ran = serving_pid(Path(sandbox.folder)) != 0
        end_stand_in(Path(sandbox.folder))
        _state().unlink()
        return ran


def _anothers(sandbox: Sandbox, root: Path) -> MisuseError:
    return MisuseError(
        f"the sandbox that runs is for {sandbox.project}, and this is {root}",
        why="its roles and its database are those of the other project",
        fix="end it, and start one here: python -m pytest_housekeeping sandbox --stop",
    )


def _started(config: Config) -> Sandbox:
    server = boot_stand_in(
        kind=config.server,
        version=config.server_version,
        promoter=config.migrator,
        database=DATABASE,
        stubs=config.stubs_and_marks,
        administrator=superuser_of(config),
    )
    try:
        with server.superuser() as connection:
            _bootstrap(connection, config)
        sandbox = Sandbox(
            port=server.port,
            database=server.database,
            user=server.promoter,
            password=server.password,
            folder=str(server.folder.path),
            programs=str(server.programs.folder),
            project=str(config.root),
            administrator=server.administrator,
        )
        with os.fdopen(os.open(_state(), _NEW, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(sandbox), file)
    except BaseException:
        _state().unlink(missing_ok=True)
        server.discard()
        raise
    server.keep()
    return sandbox


def _bootstrap(connection: psycopg.Connection[Any], config: Config) -> None:
    """The platform's preset and ``sql/bootstrap/``: what an administrator does in production."""
    from pytest_housekeeping.postgres.statement_errors import run_text

    for name, text in bootstrap_texts(config, ProjectFiles(config.root)):
        run_text(connection, name, text)
        connection.execute("RESET ROLE; RESET ALL")


def _project(folder: Path) -> Path:
    """The nearest folder upwards with a pyproject.toml, as pytest finds its rootdir."""
    for candidate in (folder, *folder.parents):
        if (candidate / "pyproject.toml").is_file():
            return candidate
    return folder


def _is_project(root: Path) -> bool:
    """Whether `root` speaks of a promotion: by its settings, or by the usual folders."""
    settings = root / "pyproject.toml"
    if settings.is_file() and "[tool.housekeeping" in settings.read_text(encoding="utf-8"):
        return True
    return (root / "sql").is_dir() and (root / "checks").is_dir()


def _recorded() -> Sandbox | None:
    try:
        return Sandbox(**json.loads(_state().read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _state() -> Path:
    return _place() / "sandbox.json"


def _place() -> Path:
    """The user's folder for what outlives a process; closed to everybody else."""
    import platformdirs

    path = Path(platformdirs.user_state_path("pytest-housekeeping"))
    return path if own_folder(path, 0o700) else cache_folder()


@contextmanager
def _alone() -> Iterator[None]:
    """One start or stop at a time. Raises ServerError where what is kept of it cannot be."""
    place, lock = _place(), -1
    try:
        lock = os.open(place / "sandbox.lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise ServerError(
            f"the sandbox cannot be started or ended: {error.strerror}",
            why=f"its password and its place are kept in {place}, its data in {gettempdir()}",
            fix="make room there, and in /dev/shm (of a container: --shm-size); or set"
            " XDG_STATE_HOME, or TMPDIR, to a folder with room on a disk of this machine: not every"
            " network file system has locks",
        ) from None
    finally:
        if lock >= 0:
            os.close(lock)
