"""The folder of one run: locked while the run lives, cleared by the next one when it is dead."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.data_folder import MAINTENANCE, SUPERUSER
from pytest_housekeeping.server.os_account import Account
from pytest_housekeeping.server.staging_database import PREFIX, Cluster, random_name

PORT = 5432
_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
_MEMORY = Path("/dev/shm")  # noqa: S108 -- the folders in it have names of their own and are closed
_MEMORY_ROOM = 256 * 1024 * 1024
# An immediate shutdown: the folder is thrown away, so nothing has to be saved.
_AT_ONCE = ((signal.SIGQUIT, 10.0), (signal.SIGKILL, 1.0))
_POLL_S = 0.002
_YOUNG_S = 60.0
TAKEN = (BlockingIOError, FileNotFoundError)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFolder:
    """A folder of this run alone. `lock` is held by this process, however it ends."""

    path: Path
    lock: int

    @property
    def data(self) -> Path:
        """The data folder; it holds the socket as well, closed to everybody else."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    def keep(self) -> None:
        """Leave it for a person: no later run clears it while its server runs."""
        (self.path / "kept").touch()
        os.close(self.lock)

    def share(self) -> None:
        """Let other processes hold the lock too: it is taken for a leftover when all are dead."""
        kept = self.path / "kept"
        # From one kind of lock to the other there is an instant without any.
        kept.touch()
        fcntl.flock(self.lock, fcntl.LOCK_SH)
        kept.unlink()

    def leave(self) -> None:
        """Let go of the lock; others hold it."""
        os.close(self.lock)

    def remove(self) -> None:
        """Once; also after a first attempt that Ctrl-C interrupted."""
        if self.path.exists():
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self.lock)


def storages() -> Iterator[Path]:
    """Where a run folder may go, best first: memory with enough room, then the temporary folder."""
    with suppress(OSError):
        room = os.statvfs(_MEMORY)
        if _in_memory(_MEMORY) and room.f_bavail * room.f_frsize >= _MEMORY_ROOM:
            yield _MEMORY
    with suppress(OSError):
        temporary = Path(tempfile.gettempdir()).resolve()
        # The path of a socket is limited to about a hundred bytes.
        yield temporary if _fits(temporary) else Path("/tmp")  # noqa: S108


def claim(storage: Path, account: Account) -> RunFolder:
    """A new folder in `storage`, which `account` may enter. Raises `OSError`."""
    while True:
        path = storage / random_name()
        path.mkdir(mode=0o700)
        try:
            if account.uid != os.geteuid():
                path.chmod(0o711)
            return RunFolder(path=path, lock=held(path, fcntl.LOCK_EX))
        except TAKEN:
            continue
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise


def held(folder: Path, kind: int) -> int:
    """The lock of a folder that is new: as long as it is open, nobody clears the folder.

    Raises OSError: one that is `TAKEN` where another run takes the folder for a leftover in the
    instant before; any other where it cannot be locked at all, as on a file system without locks.
    """
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        if (folder / "lock").stat().st_ino != os.fstat(lock).st_ino:
            raise FileNotFoundError(folder)
    except OSError:
        os.close(lock)
        raise
    return lock


def no_place(refusals: Sequence[str]) -> ServerError:
    """What is said where no storage could be claimed; each refusal names one and why."""
    return ServerError(
        "no place for the throwaway server: " + ("; ".join(refusals) or "no temporary folder"),
        why="it needs about 64 MB in memory-backed storage or in the temporary folder",
        fix="make room, in /dev/shm as well (of a container: --shm-size), or set TMPDIR to a folder"
        " with room that you may write to; "
        "or use a server that runs already: --hk-staging-url=postgresql://...",
    )


def join(path: Path) -> RunFolder | None:
    """The shared folder of a run that is alive, and its lock; None where it is none (any more)."""
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        same = (path / "lock").stat().st_ino == os.fstat(lock).st_ino
        if same and postmaster_pid(path / "data"):
            return RunFolder(path=path, lock=lock)
    os.close(lock)
    return None


def clear_leftovers(storage: Path) -> None:
    """End the servers in `storage` whose run is dead, and remove their folders.

    Only folders of this user. A process is ended only when its command line names the folder.
    """
    for path in sorted(storage.glob(f"{PREFIX}*")):
        with suppress(OSError):
            if path.lstat().st_uid == os.geteuid() and not path.is_symlink():
                _clear(path)


def _in_memory(path: Path) -> bool:
    with Path("/proc/self/mounts").open() as mounts:
        return any(line.split()[1:3] == [str(path), "tmpfs"] for line in mounts)


def _fits(storage: Path) -> bool:
    socket = storage / random_name() / "data" / f".s.PGSQL.{PORT}"
    return len(os.fsencode(socket)) <= _SOCKET_PATH_BYTES


def _clear(path: Path) -> None:
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        if time.time() - path.stat().st_mtime > _YOUNG_S:
            shutil.rmtree(path, ignore_errors=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pid = postmaster_pid(path / "data")
        if pid and (path / "kept").exists():
            return
        if pid:
            end_server(pid, path / "data", _AT_ONCE)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)


def end_server(pid: int, data: Path, signs: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send the server of `data` these signals, each with its time to follow; whether it has ended.

    It need not be a child of this process.
    """
    for sign, patience in signs:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _runs(pid, data):
                return True
            time.sleep(_POLL_S)
    return False


def postmaster_pid(data: Path) -> int:
    """The process that serves `data`; 0 when there is none (pids are used again)."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pid if _runs(pid, data) else 0


def _runs(pid: int, data: Path) -> bool:
    """Whether `pid` is a ``postgres -D data``, by its command line."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        if Path("/proc/self").exists():
            return False
        ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        command = subprocess.run(
            ps, capture_output=True, check=False, env=bare_environment()
        ).stdout.split()
    return os.fsencode(data) in command and b"postgres" in command[0]


def free_segment(data: Path) -> None:
    """A postmaster that was killed leaves its pid file, and 56 bytes of System V shared memory."""
    with suppress(OSError, ValueError, IndexError):
        _, segment = (data / "postmaster.pid").read_text().splitlines()[6].split()
        import ctypes

        remove = 0  # IPC_RMID
        ctypes.CDLL(None).shmctl(int(segment), remove, None)


def cluster_in(
    folder: RunFolder, programs: Programs, superuser: str = SUPERUSER, *, port: int = PORT
) -> Cluster:
    """How the server in a run's folder is reached."""
    return Cluster(
        host=str(folder.data),
        port=port,
        superuser=superuser,
        maintenance=MAINTENANCE,
        # Said, so that PGOPTIONS and its like in the environment do not count.
        parameters={"options": "", "gssencmode": "disable", "target_session_attrs": "any"},
        programs=str(programs.folder),
    )
