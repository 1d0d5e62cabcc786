"""What the processes of one run know together: a file under a lock, until the last leaves."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.os_account import cache_folder

_PREFIX = "run-"
_USERS = ".users"


class RunFile:
    """Shared by the workers of a run, which find it by its name alone.

    The locks are flock's: they are gone with the process, however it ends.
    """

    def __init__(self, name: str) -> None:
        folder = cache_folder()
        _clear(folder)
        self._place = folder / f"{_PREFIX}{sha256(name.encode()).hexdigest()[:24]}"
        self._users = -1

    @contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        """What is known, for this process alone; what is changed of it is kept for the others.

        The first time within it, this process counts as one that takes part.
        """
        with _locked(self._place) as file:
            if self._users < 0:
                self._users = _opened(_users_of(self._place), fcntl.LOCK_SH)
            known = _read(file)
            before = json.dumps(known)
            try:
                yield known
            finally:
                if (after := json.dumps(known)) != before:
                    os.truncate(file, 0)
                    os.pwrite(file, after.encode(), 0)

    @contextmanager
    def leaving(self) -> Iterator[tuple[bool, dict[str, Any]]]:
        """Whether no other process takes part any more, and what is known; gone with the last."""
        with _locked(self._place) as file:
            last = _is_free(self._users)
            os.close(self._users)
            self._users = -1
            try:
                yield last, _read(file)
            finally:
                if last:
                    _users_of(self._place).unlink(missing_ok=True)
                    self._place.unlink(missing_ok=True)


def _read(file: int) -> dict[str, Any]:
    with suppress(ValueError):
        known: dict[str, Any] = json.loads(os.pread(file, os.fstat(file).st_size, 0))
        return known
    return {}


@contextmanager
def _locked(place: Path) -> Iterator[int]:
    while True:
        file = _opened(place, fcntl.LOCK_EX)
        try:
            if _is_there(place, file):
                yield file
                return
        finally:
            os.close(file)


def _opened(place: Path, lock: int) -> int:
    file = -1
    try:
        file = os.open(place, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, lock)
    except OSError as error:
        if file >= 0:
            os.close(file)
        raise ServerError(
            f"{place} cannot be locked: {error.strerror}",
            why="the workers of a run agree by this file on the one server that they share",
            fix="make room there, or set XDG_CACHE_HOME to a folder with room on a disk of this"
            " machine: not every network file system has locks",
        ) from None
    return file


def _is_there(place: Path, file: int) -> bool:
    """Whether it is still the file of that name: the last of a run removes it under its lock."""
    with suppress(FileNotFoundError):
        return place.stat().st_ino == os.fstat(file).st_ino
    return False


def _is_free(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _users_of(place: Path) -> Path:
    return place.with_name(f"{place.name}{_USERS}")


def _clear(folder: Path) -> None:
    """What killed runs have left; a run that is alive holds one lock or the other."""
    for place in folder.glob(f"{_PREFIX}*{_USERS}"):
        file = place.with_name(place.name.removesuffix(_USERS))
        with suppress(OSError), open(file, "rb+") as known, place.open("rb+") as users:  # noqa: PTH123
            fcntl.flock(known, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(file, known.fileno()):
                place.unlink()
                file.unlink()
