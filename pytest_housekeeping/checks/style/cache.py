"""Where the style of a file is kept: a cache file per configuration, an entry per path and text."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from pytest_housekeeping.checks.json_cache import FORMAT
from pytest_housekeeping.errors import MisuseError

CONFIG_FILES = (
    ".sqlfluff",
    ".sqlfluffignore",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "pep8.ini",
)

_PLUGINS = "[sqlfluff]"


@dataclass(frozen=True, kw_only=True, slots=True)
class LintedFile:
    """One file: where its style is kept, and the text that it is about."""

    path: Path
    relative: str
    cache_file: Path
    key: str
    sha256: str


def find_linted(
    files: Sequence[Path],
    *,
    root: Path,
    folder: Path,
    overrides: Mapping[str, str],
    contents: Mapping[Path, bytes],
) -> list[LintedFile]:
    """Where the style of each file is kept. Raises MisuseError for a file that cannot be read."""
    cache_files: dict[str, Path] = {}
    known: dict[Path, list[tuple[str, str]]] = {}
    entries = []
    for path in files:
        absolute = path if path.is_absolute() else root / path
        place = str(absolute).rpartition(os.sep)[0]
        if place not in cache_files:
            above = absolute.parent.absolute()
            cache_files[place] = folder / f"{configuration(above, root, overrides, known)}.json"
        relative = _from(root, absolute)
        sha256 = hashlib.sha256(_content(path, absolute, contents)).hexdigest()
        entries.append(
            LintedFile(
                path=path,
                relative=relative,
                cache_file=cache_files[place],
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
    # Where sqlfluff looks for settings:
    # https://docs.sqlfluff.com/en/stable/configuration/setting_configuration.html
    for place in (*inside, Path.home(), *_user_places()):
        label = os.path.relpath(place, root) if place.is_relative_to(root) else str(place)
        if place not in known:
            known[place] = _settings(place)
        parts += [[label, *found] for found in known[place]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def has_settings(folder: Path, root: Path) -> bool:
    """Whether the project says what its style is: sqlfluff's settings in ``folder`` or above it,
    up to ``root``. What a user has at home is no word of the project."""
    places = [folder, *folder.parents]
    return any(
        _speaks_of_sqlfluff(place / name)
        for place in places[: places.index(root) + 1]
        for name in CONFIG_FILES
        if (place / name).is_file()
    )


def _speaks_of_sqlfluff(file: Path) -> bool:
    if file.name == ".sqlfluffignore":
        return False
    if file.name == ".sqlfluff":
        return True
    if file.name == "pyproject.toml":
        return _setting(file) != "null"
    with contextlib.suppress(OSError):
        return b"[sqlfluff" in file.read_bytes()
    return True


def _from(root: Path, file: Path) -> str:
    below, whole = f"{root}{os.sep}", str(file)
    if whole.startswith(below) and f"{os.sep}.." not in whole:
        return whole[len(below) :]
    return os.path.relpath(file, root)


def content_key(relative: str, sha256: str) -> str:
    """The name of an entry: the path counts too, since ignore patterns look at it."""
    return hashlib.sha256(f"{relative}\0{sha256}".encode()).hexdigest()


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
    """``name-version`` of sqlfluff, sqlfluffrs and whatever is a plugin of sqlfluff, of that also
    its files: one that is written beside the project changes under one version. Nothing is
    imported.

    Read from the ``.dist-info`` folders: 3 ms, where ``importlib.metadata`` takes several times
    that. An installation of another form is asked through ``importlib.metadata``.
    """
    found: set[str] = set()
    for folder in path:
        with contextlib.suppress(OSError):
            found |= {info.name for info in Path(folder or ".").glob("sqlfluff*.dist-info")}
        for told in Path(folder or ".").glob("*.dist-info/entry_points.txt"):
            # What cannot be found, sqlfluff cannot import either.
            with contextlib.suppress(OSError, ImportError, ValueError):
                found |= _plugin(told)
    for name in ("sqlfluff", "sqlfluffrs"):
        if not any(info.startswith(f"{name}-") for info in found):
            with contextlib.suppress(metadata.PackageNotFoundError):
                found.add(f"{name}-{metadata.version(name)}")
    return sorted(found)


def _plugin(told: Path) -> set[str]:
    """The package whose entry points these are, if it is a plugin of sqlfluff, and its files."""
    text = told.read_text(encoding="utf-8")
    if _PLUGINS not in text or told.parent.name.startswith("sqlfluff-"):
        return set()
    found = {told.parent.name}
    for module in re.findall(r"^[^=\n]+=\s*(\w+)", text.partition(_PLUGINS)[2], re.MULTILINE):
        spec = find_spec(module)
        folders = (spec.submodule_search_locations or ()) if spec else ()
        files = [each for folder in folders for each in sorted(Path(folder).rglob("*.*"))]
        for file in files or ([Path(spec.origin)] if spec and spec.origin else []):
            status = file.stat()
            if "__pycache__" not in file.parts:
                found.add(f"{file} {status.st_size} {status.st_mtime_ns}")
    return found


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
