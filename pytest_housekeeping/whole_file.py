"""A file written whole, or left as it was: whatever the disk says."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from pytest_housekeeping.errors import HousekeepingError

NO_ROOM = "make room on the disk, or the folder writable, and run again"


def write_whole(path: Path, text: str) -> None:
    """The file holds the text, and its folder is there; what it was, and a link, it stays.

    Raises HousekeepingError with nothing changed.
    """
    try:
        put_whole(path, text.encode())
    except OSError as error:
        raise HousekeepingError(
            f"{path} cannot be written: {error.strerror}",
            why="nothing of it was, and what was there is as it was",
            fix=NO_ROOM,
        ) from None


def put_whole(path: Path, content: bytes) -> None:
    """The same of bytes. Raises OSError with nothing changed."""
    real = Path(os.path.realpath(path))
    part = real.with_name(f".{real.name}.part")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        with suppress(FileNotFoundError):
            shutil.copymode(real, part)
        part.replace(real)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
