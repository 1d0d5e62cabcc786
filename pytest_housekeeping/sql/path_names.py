"""What a plan calls the half or the part of a file, and the file that it is of."""

from __future__ import annotations

import re

DOWN = "#down"
"""What ends the path of a way down that stands in the same file as its way up."""


def stands_alone(path: str) -> bool:
    """Whether a path is that of a file, and not of a half of one."""
    return not path.endswith(DOWN)


_PART = re.compile(r"(\.sql(?:#[^#/:]+:[^#/:]+)?)#\d+of\d+\Z")
# A changeset of Liquibase's, of which a file holds several: `db/items.sql#ada:1`.
_CHANGESET = re.compile(r"(?<=\.sql)#([^#/:]+:[^#/:]+)(?=#|\Z)")
_BEHIND = re.compile(r"(?<=\.sql)#[^/]*\Z")


def part_of(path: str, number: int, count: int) -> str:
    """What a plan calls a part of a file that runs in several, counted from 1."""
    return f"{path}#{number}of{count}"


def whole_of(path: str) -> str:
    """The path of the file of which a path names a part; any other path is its own."""
    return _PART.sub(r"\1", path) if "#" in path else path


def on_disk(path: str) -> str:
    """The file in which the text of a step stands."""
    return _BEHIND.sub("", path) if "#" in path else path


def changeset_in(path: str) -> str:
    """What a path names of the file that it stands in; "" for one that names all of it."""
    found = _CHANGESET.search(path) if "#" in path else None
    return found[1] if found else ""


def changeset_path(path: str, name: str) -> str:
    """What a plan calls a changeset of a file."""
    return f"{path}#{name}"
