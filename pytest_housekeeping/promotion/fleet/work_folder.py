"""The folder that the processes of a run on a fleet share; the next clears it of dead ones."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from pytest_housekeeping.server.run_folder import TAKEN, held

_PREFIX = "hk-fleet-"


def new_folder() -> Path:
    """One of the owner's alone, which this process holds; those of dead runs are cleared before."""
    _clear_leftovers(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            hold(folder)
        except TAKEN:
            continue
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder


def hold(folder: Path) -> None:
    """As long as this process or one that is forked from it lives, nobody clears the folder.

    Raises OSError where it is being cleared, or cannot be locked.
    """
    held(folder, fcntl.LOCK_SH)


def _clear_leftovers(storage: Path) -> None:
    """Only folders of this user that a run on a fleet has held."""
    for folder in storage.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                _clear(folder)


def _clear(folder: Path) -> None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
