"""The files of a project, each read from the disk once: what was looked at is what will run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from errno import ENOENT
from pathlib import Path

from pytest_housekeeping.model import on_disk


class ProjectFiles:
    """Bytes and listings below a root; the first answer to a question is the answer ever after.

    Paths are relative to the root, with ``/``. Somebody who edits, adds or removes a file while a
    run goes on changes nothing about that run: when the plan is made, ``seal`` ends the reading.
    ``read`` tells how a file is read that stands on no disk.
    """

    def __init__(self, root: Path, *, read: Callable[[str], bytes] | None = None) -> None:
        self.root = root
        self._read = read or (lambda path: (root / path).read_bytes())
        self._contents: dict[str, bytes | OSError] = {}
        self._listings: dict[tuple[str, str, bool], tuple[str, ...]] = {}
        self._sealed = False

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises OSError where it cannot be read, and again each time."""
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
            entries = top.rglob(pattern) if below else top.glob(pattern)
            self._listings[asked] = tuple(
                entry.relative_to(self.root).as_posix()
                for entry in sorted(entries)
                if not entry.is_dir()
            )
        return self._listings[asked]

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
