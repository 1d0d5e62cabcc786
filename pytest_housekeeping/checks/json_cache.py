"""Results kept between runs: JSON files of entries by content, bounded and written atomically.

A cache never decides anything: what is missing, is not as it was written, could be another's or has
another form is worked out again, and a folder that cannot be written is no failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import platformdirs

from pytest_housekeeping.server.os_account import is_ours

# To be raised when the form of an entry changes, in any cache.
FORMAT = 2
KEPT_ENTRIES = 20_000
KEPT_FILES = 20


def default_folder(name: str) -> Path:
    """The folder of one cache among the user's caches."""
    return platformdirs.user_cache_path("pytest-housekeeping") / name


def read_entries(file: Path) -> dict[str, Any]:
    """The entries by key; none when the file is missing, has been changed or renamed, is of another
    format, or somebody else can write to it.

    What a value looks like is for the caller to check: any JSON may stand there.
    """
    try:
        told, _, content = file.read_bytes().partition(b"\n") if is_ours(file) else (b"", b"", b"")
        if told != _digest(file, content):
            return {}
        stored = json.loads(content)
        if stored["format"] != FORMAT:
            return {}
        entries = dict(stored["entries"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    with contextlib.suppress(OSError):
        os.utime(file)  # files that are read outlive those that are not
    return entries


def write_entries(file: Path, known: Mapping[str, Any], used: Mapping[str, Any]) -> None:
    """Keep all that was ``used`` in this run, and of what was ``known`` before the newest.

    Two runs that write at once both leave a whole file. The later may drop entries of the earlier,
    which costs time and no truth.
    """
    entries = {key: stored for key, stored in known.items() if key not in used} | dict(used)
    kept = dict(list(entries.items())[-max(KEPT_ENTRIES, len(used)) :])
    content = json.dumps({"format": FORMAT, "entries": kept}, separators=(",", ":")).encode()
    with contextlib.suppress(OSError):
        # Whatever the umask is: what stands in a folder of others' is not believed.
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(file, _digest(file, content) + b"\n" + content)
        _remove_oldest(file.parent)


def _digest(file: Path, content: bytes) -> bytes:
    """Of what it is called as well: a file is named by what its entries depend on."""
    return sha256(file.name.encode() + b"\0" + content).hexdigest().encode()


def _replace(file: Path, content: bytes) -> None:
    # Renaming within a folder is atomic: a reader sees the old file or the new one.
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".cache-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[KEPT_FILES:]:
        old.unlink(missing_ok=True)
