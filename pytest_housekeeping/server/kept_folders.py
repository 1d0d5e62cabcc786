"""Data folders with something in them, kept by what made it: bounded, and never trusted unread."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest_housekeeping
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import Programs, share_folder
from pytest_housekeeping.server.data_folder import changed_at, made_with
from pytest_housekeeping.server.os_account import Account, cache_folder
from pytest_housekeeping.server.packed_folder import HALF_MADE, pack
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.sql.text import digest_of_facts

ROOM = 512 * 1024 * 1024
_LEVEL = 1
_FORMAT = 2
_HALF_MADE_S = 3600


def kept_path(programs: Programs, key: str) -> Path:
    """Where the folder of this key is kept, for this very tool, build and the machine's collations.

    Keys that begin alike, up to a hyphen, are of one family.
    """
    facts = (_FORMAT, made_with(), *_build(programs), key)
    return cache_folder() / f"{_of_family(key)}{sha256(repr(facts).encode()).hexdigest()[:40]}"


def build_facts(kind: str, version: int) -> tuple[object, ...]:
    """What a server of this kind answers to this tool by: both to the file, what lies beside the
    server of extensions, and the machine's collations."""
    return (made_with(), *_build(find_programs(kind, version)))


def _build(programs: Programs) -> tuple[object, ...]:
    known = "CS_GNU_LIBC_VERSION" in os.confstr_names
    libc = os.confstr("CS_GNU_LIBC_VERSION") if known else ""
    return this_tool(), programs.version, programs.key(), _extensions(programs), libc


def _extensions(programs: Programs) -> tuple[int, ...]:
    """When something was last put beside the server or taken away, as a package does it."""
    share, above = share_folder(programs), programs.folder.parent
    return changed_at(above / "lib", above / "lib/postgresql", *(share or above).glob("extension"))


def family_is_kept(key: str) -> bool:
    """Whether anything of the family of this key may be kept; False where nothing can be."""
    with suppress(ServerError):
        return any(cache_folder().glob(f"{_of_family(key)}*"))
    return False


def _of_family(key: str) -> str:
    return f"kept-{key.partition('-')[0]}-"


def keep(
    folder: Path, programs: Programs, account: Account, key: str, about: Mapping[str, str]
) -> None:
    """Keep the data folder of a server that has been shut down; what was not used longest goes.

    Raises `OSError` or `ServerError` where it cannot be kept.
    """
    path = kept_path(programs, key)
    pack(folder, path, programs, account, level=_LEVEL, about={**about, "key": key})
    bound(path)


def bound(newest: Path) -> None:
    """No more than `ROOM` in all; what a killed run has left half made goes as well."""
    folder, found = newest.parent, []
    for path in folder.glob(f"{HALF_MADE}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _HALF_MADE_S:
                path.unlink()
    for path in folder.glob("kept-*"):
        with suppress(OSError):
            status = path.lstat()
            found.append((path != newest, -status.st_mtime, status.st_size, path))
    room = ROOM
    for _, _, size, path in sorted(found):
        if size <= room:
            room -= size
            continue
        with suppress(OSError):
            path.unlink()
    if not newest.exists():
        raise ServerError(f"it is larger than the {ROOM // 1024 // 1024} MiB that may be kept")


@cache
def this_tool() -> str:
    """Names this very installation: another size or time of a module or a rule is another tool."""
    return digest_of_facts(sorted(_modules(Path(pytest_housekeeping.__file__).parent)))


def _modules(folder: Path) -> Iterator[tuple[str, int, int]]:
    above = len(f"{folder}{os.sep}")
    for place, folders, names in os.walk(folder):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
        for path in (os.path.join(place, name) for name in names):  # noqa: PTH118 - of hundreds
            if path.endswith((".py", ".sql")):
                status = os.stat(path)  # noqa: PTH116
                yield path[above:], status.st_size, status.st_mtime_ns
