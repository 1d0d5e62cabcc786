"""What a throwaway server begins with: nothing, or a data folder that an earlier run has kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.kept_folders import kept_path
from pytest_housekeeping.server.os_account import is_ours
from pytest_housekeeping.server.server_settings import ServerSettings
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.server.staging_database import StagingDatabase

if TYPE_CHECKING:
    from pytest_housekeeping.server.postmaster import Postmaster


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The first of these keys under which a folder is kept is what a server begins with.

    `differs` looks at the database of the server that was begun so, and at what was written down
    when it was kept; it says what differs, "" where nothing does. Nothing is used without it.
    """

    keys: Sequence[str] = ()
    differs: Callable[[StagingDatabase, Mapping[str, str]], str]


NOTHING = Beginning(differs=lambda *_: "nothing is asked for")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a server has begun with: the key, "" for an empty one, and why others were refused.

    ``about`` is what was written down when it was kept.
    """

    key: str = ""
    refused: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict, compare=False)


def kept_ones(settings: ServerSettings, keys: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The keys under which something is kept, and where."""
    if keys:
        programs = find_programs(settings.kind, settings.version, settings.stubs)
        for key in keys:
            if (path := kept_path(programs, key)).exists():
                yield key, path


def is_kept(settings: ServerSettings, key: str) -> bool:
    """Whether something is kept under the key, by this user alone; what, is seen by who uses it."""
    return any(is_ours(path) for _, path in kept_ones(settings, (key,)))


def begin(
    settings: ServerSettings, beginning: Beginning
) -> tuple[Postmaster, StagingDatabase, Begun]:
    """Boot a server, with what is kept where it is what it was, else with nothing; and its first
    database. Raises `ServerError`."""
    from pytest_housekeeping.server.postmaster import boot

    refused = []
    for key, path in kept_ones(settings, beginning.keys):
        if not is_ours(path):
            refused.append(f"{path} belongs to somebody else, or others may write to it")
            continue
        try:
            running = boot(settings, kept=path)
        except (ServerError, ValueError, OSError) as error:
            refused.append(f"what is kept in {path} is no data folder of ours: {error}")
            _forget(path)
            continue
        with _ended_if_it_fails(running):
            begun = running.adopt(running.about["database"])
            if running.about["key"] != key:
                differs = "it is kept under another's name"
            else:
                differs = beginning.differs(begun, running.about)
        if not differs:
            return running, begun, Begun(key=key, refused=tuple(refused), about=running.about)
        running.close(keep=False)
        refused.append(f"what is kept in {path} is not what was kept: {differs}")
        _forget(path)
    running = boot(settings)
    with _ended_if_it_fails(running):
        return running, running.create(settings.database), Begun(refused=tuple(refused))


@contextmanager
def _ended_if_it_fails(running: Postmaster) -> Iterator[None]:
    try:
        yield
    except BaseException:
        running.close(keep=False)
        raise


def _forget(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
