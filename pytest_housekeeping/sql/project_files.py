"""The files of a project, each read from the disk once: what was looked at is what will run."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from errno import ENOENT
from fnmatch import fnmatchcase
from functools import partial
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pytest_housekeeping.sql.changesets import Changeset, cut_at_changesets
from pytest_housekeeping.sql.path_names import changeset_in, on_disk
from pytest_housekeeping.sql.text import digest

_Answer = TypeVar("_Answer")
_BEGINNING = 8192


class ProjectFiles:
    """Bytes and listings below a root; the first answer to a question is the answer ever after.

    Paths are relative to the root, with ``/``. Somebody who edits, adds or removes a file while a
    run goes on changes nothing about that run: when the plan is made, ``seal`` ends the reading.
    ``read`` tells how a file is read that stands on no disk.
    """

    def __init__(self, root: Path, *, read: Callable[[str], bytes] | None = None) -> None:
        self.root = root
        self._read = read or partial(_bytes_of, str(root))
        self._contents: dict[str, bytes | OSError] = {}
        self._listings: dict[tuple[str, str, bool], tuple[str, ...]] = {}
        self._answers: dict[str, tuple[object, Any]] = {}
        self._sealed = False

    def read(self, path: str) -> bytes:
        """The bytes of a file, or of the changeset of it that a path names. Raises OSError where it
        cannot be read, and again each time."""
        if isinstance(known := self._contents.get(path), bytes):
            return known  # as nearly each is asked for: several times, by its own name
        if named := changeset_in(path):
            whole = on_disk(path)
            if (found := self._changesets(whole).get(named)) is None:
                raise FileNotFoundError(ENOENT, "it holds no such changeset", f"{whole}#{named}")
            return found.data
        path = on_disk(path)
        if path not in self._contents:
            if self._sealed:
                raise FileNotFoundError(ENOENT, "not there when the plan was made", path)
            try:
                self._contents[path] = self._read(path)
            except OSError as error:
                self._contents[path] = error
        content = self._contents[path]
        if isinstance(content, OSError):
            raise content.with_traceback(None)
        return content

    def _changesets(self, path: str) -> Mapping[str, Changeset]:
        data = self.read(path)
        return self.once(f"changesets of {path}", data, lambda: _changesets_of(data))

    def beginning(self, path: str) -> bytes:
        """The first bytes of what is on the disk, to see what a file is: no part of what is read,
        and empty where it cannot be."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(_BEGINNING)
        except OSError:
            return b""

    def lines(self, path: str) -> range | None:
        """The lines of its file in which the changeset that a path names stands; None for a file,
        and for a changeset of another commit."""
        named, whole = changeset_in(path), on_disk(path)
        if not named or not self.has(path):
            return None
        found = self._changesets(whole).get(named)
        return found.lines if found else None

    def digest(self, path: str) -> str:
        """The sha256 of its bytes. Raises OSError where it cannot be read."""
        return digest(self.read(path))

    def has(self, path: str) -> bool:
        """Whether there is such a file, readable or not."""
        try:
            self.read(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        except OSError:
            return True
        return True

    def find(self, folder: str, pattern: str, *, below: bool = False) -> tuple[str, ...]:
        """The files directly in a folder, or anywhere ``below`` it, that fit, in name order."""
        asked = (folder, pattern, below)
        if asked not in self._listings and self._sealed:
            return ()
        if asked not in self._listings:
            top = self.root / folder
            if below or "/" in pattern:
                entries = top.rglob(pattern) if below else top.glob(pattern)
                found = [
                    each.relative_to(self.root) for each in sorted(entries) if not each.is_dir()
                ]
                self._listings[asked] = tuple(each.as_posix() for each in found)
            else:
                self._listings[asked] = tuple(_directly_in(top, PurePosixPath(folder), pattern))
        return self._listings[asked]

    def once(self, name: str, given: object, ask: Callable[[], _Answer]) -> _Answer:
        """What ``ask`` says of the files, asked once for what is ``given``."""
        known = self._answers.get(name)
        if known is None or known[0] != given:
            known = self._answers[name] = (given, ask())
        answer: _Answer = known[1]
        return answer

    def as_if(self, contents: Mapping[str, bytes | None]) -> ProjectFiles:
        """What was read so far, but for these files: other bytes, or None for not there."""
        made = ProjectFiles(self.root)
        made._contents = dict(self._contents)
        for path, content in contents.items():
            absent = FileNotFoundError(ENOENT, "not there at that commit", path)
            made._contents[path] = absent if content is None else content
        gone = {path for path, content in contents.items() if content is None}
        for (folder, pattern, below), found in self._listings.items():
            come = {
                path
                for path, content in contents.items()
                if content is not None and _fits(PurePosixPath(path), folder, pattern, below=below)
            }
            made._listings[folder, pattern, below] = tuple(sorted({*found, *come} - gone))
        made._sealed = self._sealed
        return made

    def seal(self) -> None:
        """From now on there is nothing but what was read."""
        self._sealed = True

    @property
    def held(self) -> Mapping[str, bytes]:
        """What was read so far, by path."""
        return {
            path: content
            for path, content in self._contents.items()
            if not isinstance(content, OSError)
        }


def upwards(folder: str) -> Iterator[str]:
    """A folder, and those above it up to the root of the project, which is ""."""
    yield folder
    while folder:
        yield (folder := posixpath.dirname(folder))


def named_bytes(path: str, data: bytes) -> bytes:
    """Of the bytes of a file those that a path names: the changeset, or all; empty where it holds
    no such one."""
    named = changeset_in(path)
    if not named:
        return data
    found = _changesets_of(data).get(named)
    return found.data if found else b""


def _changesets_of(data: bytes) -> Mapping[str, Changeset]:
    """The changesets of a file, by the names that paths give them."""
    return {each.name: each for each in cut_at_changesets(data).changesets}


def _bytes_of(root: str, path: str) -> bytes:
    """A plan reads thousands: what pathlib makes of a path costs more than to read it."""
    with FileIO(posixpath.join(root, path)) as file:
        return file.readall()


def _directly_in(top: Path, folder: PurePosixPath, pattern: str) -> Iterator[str]:
    """One look at a folder, however many files it holds."""
    try:
        with os.scandir(top) as entries:
            names = sorted(
                e.name for e in entries if fnmatchcase(e.name, pattern) and not e.is_dir()
            )
    except OSError:
        return
    yield from (name if str(folder) == "." else f"{folder}/{name}" for name in names)


def _fits(path: PurePosixPath, folder: str, pattern: str, *, below: bool) -> bool:
    top = PurePosixPath(folder)
    inside = path.is_relative_to(top) if below else path.parent == top
    return inside and path.match(pattern)
