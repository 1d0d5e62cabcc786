"""Results kept between runs: JSON files of entries by content, bounded and written atomically.

A cache never decides anything: what is missing, broken or of another form is worked out again,
and a folder that cannot be written is no failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

# To be raised when the form of an entry changes, in any cache.
FORMAT = 1
KEPT_ENTRIES = 20_000
KEPT_FILES = 20


def default_folder(name: str) -> Path:
    """The folder of one cache among the user's caches."""
    return platformdirs.user_cache_path("pytest-housekeeping") / name


def read_entries(file: Path) -> dict[str, Any]:
    """The entries by key; none when the file is missing, broken or of another format.

    What a value looks like is for the caller to check: any JSON may stand there.
    """
    try:
        stored = json.loads(file.read_bytes())
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
    text = json.dumps({"format": FORMAT, "entries": kept}, separators=(",", ":"))
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, text)
        _remove_oldest(file.parent)


def _replace(file: Path, text: str) -> None:
    # Renaming within a folder is atomic: a reader sees the old file or the new one.
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".cache-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[KEPT_FILES:]:
        old.unlink(missing_ok=True)
