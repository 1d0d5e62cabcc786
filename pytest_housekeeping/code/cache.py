"""What was read out of a text earlier: one JSON file per version of the readers and project."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs

KEPT_ENTRIES = 20_000
KEPT_FILES = 20
_PARSERS = ("postgast", "tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript")


def default_folder() -> Path:
    return platformdirs.user_cache_path("pytest-housekeeping") / "code"


def cache_file(folder: Path, root: Path) -> Path:
    """Where the readings of one project are kept: another version of a reader has its own."""
    project = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return folder / f"{project}-{version()}.json"


def content_key(data: bytes, suffix: str) -> str:
    return hashlib.sha256(data).hexdigest()[:40] + suffix


def read(file: Path) -> dict[str, Any]:
    """The entries; none when the file is missing or broken."""
    try:
        stored = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    with contextlib.suppress(OSError):
        os.utime(file)
    return stored if isinstance(stored, dict) else {}


def write(file: Path, known: Mapping[str, Any], used: Mapping[str, Any]) -> None:
    """Keep what was used, and of the rest the newest. A folder without room is no failure."""
    entries = {key: value for key, value in known.items() if key not in used} | dict(used)
    kept = dict(list(entries.items())[-max(KEPT_ENTRIES, len(used)) :])
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".code-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(kept, separators=(",", ":")))
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        for old in _by_age(file.parent)[KEPT_FILES:]:
            old.unlink(missing_ok=True)


@cache
def version() -> str:
    """The digest of the readers' own text and of their parsers' versions."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for name in _PARSERS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{name} {metadata.version(name)}".encode())
    return digest.hexdigest()[:16]


def _by_age(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
