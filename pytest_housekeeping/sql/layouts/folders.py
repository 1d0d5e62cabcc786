"""Tools that give each migration a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.layouts.layout import Ground


def folders_in(ground: Ground) -> Iterator[tuple[str, frozenset[str]]]:
    """The folders directly in that of the tool, in name order, each with the names in it."""
    found: dict[str, set[str]] = {}
    for path in ground.files.find(ground.folder, "*", below=True):
        name, _, rest = path.removeprefix(ground.at("")).partition("/")
        if rest and not name.startswith("."):
            found.setdefault(name, set()).add(rest)
    for name in sorted(found):
        yield name, frozenset(found[name])


def lacking(folder: str, name: str, tool: str) -> SqlFileError:
    """A folder without the file that it is there for."""
    return SqlFileError(
        f"{folder} holds no {name}",
        why=f"{tool} refuses such a folder: what it was to do is not here",
        fix="bring the file back, or remove the folder",
    )
