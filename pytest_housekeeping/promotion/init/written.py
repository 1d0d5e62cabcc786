"""The files that a run of `init` has made: what it made it may write again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pytest_housekeeping.whole_file import write_whole


@dataclass(kw_only=True)
class Written:
    """The files that this run has made, by path: what it made it may write again."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, text: str) -> bool:
        """Write a file that is not there, or that was written by this run; whether it was."""
        place = self.root / path
        if path not in self.files and place.exists():
            return False
        write_whole(place, text)
        self.files[path] = text
        return True

    def replace(self, path: str, text: str | None) -> bool:
        """Write the new text of a file that was only added to; None: it says that already."""
        if text is None:
            return False
        write_whole(self.root / path, text)
        return True

    def remove(self, path: str) -> None:
        (self.root / path).unlink()
        del self.files[path]


def kept_or_written(written: Written, path: str, text: str) -> Iterator[str]:
    yield f"written: {path}" if written.add(path, text) else f"kept as it is: {path}"
