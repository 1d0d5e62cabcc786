"""What sqlfluff said earlier: per configuration one JSON file, in it one entry per file content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import platformdirs

from pytest_housekeeping.checks.style.result import Style, encode
from pytest_housekeeping.errors import MisuseError

FORMAT = 1
KEPT_ENTRIES = 20_000
KEPT_CONFIGURATIONS = 20
CONFIG_FILES = (
    ".sqlfluff",
    ".sqlfluffignore",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "pep8.ini",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file: where its style is kept, and the text that it is about."""

    path: Path
    relative: str
    cache_file: Path
    key: str
    sha256: str


def default_folder() -> Path:
    return platformdirs.user_cache_path("pytest-housekeeping") / "lint"


def find(
    files: Sequence[Path],
    *,
    root: Path,
    folder: Path,
    overrides: Mapping[str, str],
    contents: Mapping[Path, bytes],
) -> list[Entry]:
    """Where the style of each file is kept. Raises MisuseError for a file that cannot be read."""
    configurations: dict[Path, str] = {}
    known: dict[Path, list[tuple[str, str]]] = {}
    entries = []
    for path in files:
        absolute = root / path
        place = absolute.parent.absolute()
        if place not in configurations:
            configurations[place] = configuration(place, root, overrides, known)
        relative = os.path.relpath(absolute, root)
        sha256 = hashlib.sha256(_content(path, absolute, contents)).hexdigest()
        entries.append(
            Entry(
                path=path,
                relative=relative,
                cache_file=folder / f"{configurations[place]}.json",
                key=content_key(relative, sha256),
                sha256=sha256,
            )
        )
    return entries


def configuration(
    folder: Path,
    root: Path,
    overrides: Mapping[str, str],
    known: dict[Path, list[tuple[str, str]]] | None = None,
) -> str:
    """The digest of all that decides how a file in ``folder`` is judged, besides its text.

    Versions of sqlfluff, its Rust core and its plugins; the overrides; every file that sqlfluff
    may read a setting or an ignore pattern from. Places inside ``root`` count by their relative
    path, so that a second clone of a project meets the cache of the first. ``known`` are the
    settings of places that were read before.
    """
    known = {} if known is None else known
    parts: list[object] = [FORMAT, _versions(tuple(sys.path)), sorted(overrides.items())]
    inside = [folder, *folder.parents]
    for place in (*inside, Path.home(), *_user_places()):
        label = os.path.relpath(place, root) if place.is_relative_to(root) else str(place)
        if place not in known:
            known[place] = _settings(place)
        parts += [[label, *found] for found in known[place]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def content_key(relative: str, sha256: str) -> str:
    """The name of an entry: the path counts too, since ignore patterns look at it."""
    return hashlib.sha256(f"{relative}\0{sha256}".encode()).hexdigest()


def read(file: Path) -> dict[str, object]:
    """The entries of one cache file; none when it is missing, broken or of another format."""
    try:
        stored = json.loads(file.read_bytes())
        if stored["format"] != FORMAT:
            return {}
        entries = dict(stored["entries"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    with contextlib.suppress(OSError):
        os.utime(file)
    return entries


def write(file: Path, used: Mapping[str, Style]) -> None:
    """Add entries to one cache file, atomically; ``used`` outlives what was not seen for long.

    Two runs that write at once both leave a whole file; the later one may drop entries of the
    earlier, which costs a lint and no truth. A folder that cannot be written is no failure.
    """
    entries = {key: stored for key, stored in read(file).items() if key not in used}
    entries |= {key: encode(style) for key, style in used.items()}
    kept = dict(list(entries.items())[-max(KEPT_ENTRIES, len(used)) :])
    text = json.dumps({"format": FORMAT, "entries": kept}, separators=(",", ":"))
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, text)
        _prune(file.parent)


def _content(path: Path, absolute: Path, contents: Mapping[Path, bytes]) -> bytes:
    if path in contents:
        return contents[path]
    try:
        return absolute.read_bytes()
    except OSError as error:
        found = f"{path} cannot be read: {error.strerror}"
        raise MisuseError(
            found,
            why="a file that cannot be read cannot be judged",
            fix="restore the file or its permissions",
        ) from error


@cache
def _versions(path: tuple[str, ...]) -> list[str]:
    """``name-version`` of sqlfluff, sqlfluffrs and sqlfluff's plugins, without importing them.

    Read from the names of their ``.dist-info`` folders: 0.2 ms, where ``importlib.metadata`` takes
    several. An installation of another form is asked through ``importlib.metadata``.
    """
    found: set[str] = set()
    for folder in path:
        with contextlib.suppress(OSError):
            found |= {info.name for info in Path(folder or ".").glob("sqlfluff*.dist-info")}
    for name in ("sqlfluff", "sqlfluffrs"):
        if not any(info.startswith(f"{name}-") for info in found):
            with contextlib.suppress(metadata.PackageNotFoundError):
                found.add(f"{name}-{metadata.version(name)}")
    return sorted(found)


def _user_places() -> tuple[Path, ...]:
    return (Path.home() / ".config" / "sqlfluff", platformdirs.user_config_path("sqlfluff"))


def _settings(place: Path) -> list[tuple[str, str]]:
    return [(name, _setting(place / name)) for name in CONFIG_FILES if (place / name).is_file()]


def _setting(file: Path) -> str:
    """What counts of one settings file. Of pyproject.toml only sqlfluff's own table."""
    try:
        content = file.read_bytes()
    except OSError as error:
        return f"unreadable: {error.errno}"
    if file.name == "pyproject.toml":
        with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
            tool = tomllib.loads(content.decode()).get("tool", {})
            return json.dumps(tool.get("sqlfluff"), sort_keys=True, default=str)
    return hashlib.sha256(content).hexdigest()


def _replace(file: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".lint-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _prune(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[KEPT_CONFIGURATIONS:]:
        old.unlink(missing_ok=True)
