"""What a plan calls the half or the part of a file, and the file that it is of."""

from __future__ import annotations

import re

DOWN = "#down"
"""What ends the path of a way down that stands in the same file as its way up."""


def stands_alone(path: str) -> bool:
    """Whether a path is that of a file, and not of a half of one."""
    return not path.endswith(DOWN)


_PART = re.compile(r"(?<=\.sql)#\d+of\d+\Z")


def part_of(path: str, number: int, count: int) -> str:
    """What a plan calls a part of a file that runs in several, counted from 1."""
    return f"{path}#{number}of{count}"


def whole_of(path: str) -> str:
    """The path of the file of which a path names a part; any other path is its own."""
    return _PART.sub("", path) if "#" in path else path


def on_disk(path: str) -> str:
    """The file in which the text of a step stands."""
    return whole_of(path).removesuffix(DOWN)
