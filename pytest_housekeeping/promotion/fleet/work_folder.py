"""The folder that the processes of a run on a fleet share; the next clears it of dead ones."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX, _LOCK = "hk-fleet-", "lock"


def new_folder() -> Path:
    """One of the owner's alone, which this process holds; those of dead runs are cleared before."""
    _clear_leftovers(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Another run may take it for a leftover in the instant before it is held.
        with suppress(OSError):
            hold(folder)
            return folder


def hold(folder: Path) -> None:
    """As long as this process or one that is forked from it lives, nobody clears the folder.

    Raises OSError where it is being cleared.
    """
    lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if (folder / _LOCK).stat().st_ino != os.fstat(lock).st_ino:
            raise FileNotFoundError(folder)
    except OSError:
        os.close(lock)
        raise


def _clear_leftovers(storage: Path) -> None:
    """Only folders of this user that a run on a fleet has held."""
    for folder in storage.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                _clear(folder)


def _clear(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
